package explain

import (
	"net"
	"strconv"
	"strings"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
)

// Facts are what is known of a case beside its text. Any may be missing.
type Facts struct {
	Stage      evidence.Stage
	Origin     evidence.Origin
	Host       string // the server spoken to, with or without its address
	Port       int    // 0: unknown
	Security   string // "starttls", "tls", "none"; "": unknown
	User       string // the login, "" when none was made
	Sender     string
	Recipient  string
	FromServer bool // a post office tells of a delivery, not a client of its outgoing server
}

// fill returns the facts as the catalogue's texts want them.
func (f Facts) fill() cause.Facts {
	c := cause.Facts{User: f.User, Recipient: f.Recipient, Sender: f.Sender}
	c.Host, _, _ = strings.Cut(f.Host, " ")
	if host, port, err := net.SplitHostPort(c.Host); err == nil {
		c.Host, c.Port = host, port
	}
	if f.Port != 0 {
		c.Port = strconv.Itoa(f.Port)
	}
	if i := strings.LastIndexByte(f.Recipient, '@'); i >= 0 {
		c.Domain = f.Recipient[i+1:]
	}
	return c
}
