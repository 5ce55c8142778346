package provider

// Retired is a host name that its provider has withdrawn.
type Retired struct {
	Host       string     `json:"host"`      // may hold "*" for any characters
	Protocol   string     `json:"protocol"`  // "smtp", "imap" or "pop3"
	Successor  string     `json:"successor"` // a host of the same provider; "": there is none
	Note       string     `json:"note"`
	Confidence Confidence `json:"confidence"`
	Provider   ID         `json:"provider"`
}

// ByRetired returns what is known of a withdrawn name. It may still answer for a
// while; the successor is to be used once it has failed.
func ByRetired(host string) (Retired, bool) {
	d, host := data(), clean(host)
	if r, ok := d.retired[host]; ok {
		return r, true
	}
	for _, r := range d.retiredG {
		if matches(r.Host, host) {
			return r, true
		}
	}
	return Retired{}, false
}

// Closed is a mail service that no longer exists.
type Closed struct {
	Name    string   `json:"name"`
	Hosts   []string `json:"hosts"`
	Domains []string `json:"domains"`
	Since   string   `json:"since"` // the year
	Note    string   `json:"note"`
}

// ByClosed returns the closed service that had this host or mail domain.
func ByClosed(name string) (Closed, bool) {
	if c, ok := data().gone[clean(name)]; ok {
		return *c, true
	}
	return Closed{}, false
}
