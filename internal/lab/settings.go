package lab

import "strconv"

// The account and the addresses of every scenario.
const (
	rightUser     = "ann@example.org"
	rightPassword = "correct-horse-battery"
	wrongPassword = "correct-horse-batery"
	rightToken    = "ya29.lab-token"
	sender        = "ann@example.org"
	recipient     = "bob@example.net"
)

// Settings are what a client is told to use; as wrong as the scenario needs.
type Settings struct {
	Host     string `json:"host"`
	Port     int    `json:"port"`
	Security string `json:"security"`       // "starttls", "tls", "none"
	Auth     string `json:"auth,omitempty"` // the mechanism to use; "": any
	User     string `json:"user"`           // "": no login
	Password string `json:"password"`       // with Auth XOAUTH2 or OAUTHBEARER the token
	From     string `json:"from"`
	To       string `json:"to"`
	CA       string `json:"ca,omitempty"` // in PEM: the root that makes the rest of TLS right; "": no root does
}

// Address returns host and port as a client takes them.
func (s Settings) Address() string { return s.Host + ":" + strconv.Itoa(s.Port) }

// URL returns the settings as the target of a doctor.
func (s Settings) URL() string {
	scheme := "smtp"
	if s.Security == "tls" {
		scheme = "smtps"
	}
	return scheme + "://" + s.Address()
}

// The changes to what a client is told.
func withTLSAtOnce(s *Settings)   { s.Security = "tls" }
func withStartTLS(s *Settings)    { s.Security = "starttls" }
func withoutTLS(s *Settings)      { s.Security = "none" }
func withoutLogin(s *Settings)    { s.User, s.Password = "", "" }
func withWrongWord(s *Settings)   { s.Password = wrongPassword }
func withBareUser(s *Settings)    { s.User = "ann" }
func withForeignFrom(s *Settings) { s.From = "ceo@example.com" }
func withToken(s *Settings)       { s.Auth, s.Password = "XOAUTH2", rightToken }
func withLocalFrom(s *Settings)   { s.From = "root@web01.local" }

func withoutBoth(s *Settings) { withoutTLS(s); withoutLogin(s) }
