package listen

import (
	"time"

	"github.com/wellsent/wellsent/internal/clienthello"
)

// Session is what one connection showed. Texts are printable and bounded.
type Session struct {
	Version  int       `json:"version"` // of this form
	At       time.Time `json:"at"`
	Peer     string    `json:"peer"`
	Protocol string    `json:"protocol,omitempty"` // what was spoken where it was not SMTP: "HTTP", "SSL 2"
	Hello    *Hello    `json:"tls,omitempty"`      // the TLS hello; nil: TLS was never begun
	TLS      string    `json:"tls_version,omitempty"`
	TLSError string    `json:"tls_error,omitempty"`
	Implicit bool      `json:"implicit_tls"` // TLS came first
	Verb     string    `json:"greeting_verb,omitempty"`
	Name     string    `json:"name,omitempty"` // in EHLO or HELO
	Logins   []Login   `json:"logins"`
	From     *Address  `json:"mail_from,omitempty"`
	To       []Address `json:"rcpt_to"`
	Body8    bool      `json:"body_8bitmime"` // BODY=8BITMIME was said
	Content  *Content  `json:"content,omitempty"`
	Unknown  []string  `json:"unknown_commands"`
	Early    bool      `json:"spoke_early"`   // it did not wait for the greeting
	BareLF   bool      `json:"bare_newlines"` // command lines ended with LF alone
	Dialogue []Line    `json:"dialogue"`      // both sides, without secrets
	Ended    string    `json:"ended"`         // how: "QUIT", "closed by the client in …", "time out", …
	Remarks  []Remark  `json:"remarks"`       // by Judge
	Mails    int       `json:"messages"`      // taken whole
}

// SessionVersion is the version of the JSON form of a Session.
const SessionVersion = 1

// Hello is what a TLS client hello offers.
type Hello = clienthello.Hello

// Login is one attempt at AUTH.
type Login struct {
	Mechanism string   `json:"mechanism"`
	User      string   `json:"user,omitempty"`
	Secure    bool     `json:"under_tls"`
	Fault     string   `json:"fault,omitempty"`    // the exchange is broken: how
	Password  []string `json:"password,omitempty"` // what is odd about the password, without showing it
	Done      bool     `json:"done"`               // the client went to the end
}

// Address is the argument of MAIL or RCPT.
type Address struct {
	Path  string `json:"address"`
	Raw   string `json:"raw"`
	Fault string `json:"fault,omitempty"` // as it was written it is not valid: why
}

// Content is what was seen of a message.
type Content struct {
	Octets   int64             `json:"octets"`
	Header   map[string]string `json:"header"`  // From, Sender, To, Subject, Date, Message-ID, MIME-Version, Content-Type, X-Mailer
	Doubled  []string          `json:"doubled"` // fields of which there may be one only
	Longest  int               `json:"longest_line"`
	BareLF   int               `json:"bare_lf"` // lines that end with LF alone
	BareCR   int               `json:"bare_cr"`
	NUL      int               `json:"nul"`
	EightBit bool              `json:"eight_bit"`
	RawField bool              `json:"raw_field"` // octets beyond ASCII in the header section
	NoHeader bool              `json:"no_header"` // the first line is no header field
}

// Line is one line of the dialogue.
type Line struct {
	From string `json:"from"` // "C" the client, "S" this server
	Text string `json:"text"`
}
