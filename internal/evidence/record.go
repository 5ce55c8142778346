package evidence

import "time"

// Version is the version of the JSON form of a Record.
const Version = 1

// Record is all that one conversation with one server showed. It is a value: it
// is made from a conversation's recorder when something failed or somebody asked.
type Record struct {
	Version    int             `json:"version"`
	Host       string          `json:"host"`           // the name asked for
	Port       int             `json:"port,omitempty"` //
	Addresses  []string        `json:"addresses"`      // what the name resolved to, in the order tried
	Dials      []Dial          `json:"dials"`          // every connection attempt
	TLS        *TLS            `json:"tls,omitempty"`  // nil: no handshake was made
	Greeting   string          `json:"greeting,omitempty"`
	Extensions []string        `json:"extensions"`        // EHLO lines after the first, of the last EHLO
	Steps      []Step          `json:"steps"`             // time of each step
	Lines      []Line          `json:"lines"`             // the dialogue, redacted; the oldest lines may be missing
	Dropped    int             `json:"dropped,omitempty"` // lines that made room for later ones
	Notes      []string        `json:"notes"`             // what was done about the message on the way, in words
	Failure    *FailureSummary `json:"failure,omitempty"`
}

// Dial is one attempt to open a connection.
type Dial struct {
	Address string        `json:"address"`
	Took    time.Duration `json:"took_ns"`
	Error   string        `json:"error,omitempty"`
}

// TLS is what the handshake showed.
type TLS struct {
	Version  string `json:"version"`
	Cipher   string `json:"cipher"`
	Verified bool   `json:"verified"`
	Chain    []Cert `json:"chain"`
	Error    string `json:"error,omitempty"`
}

// Cert is one certificate of a chain as presented.
type Cert struct {
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	Names     []string  `json:"names"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
}

// Step is the time one stage took.
type Step struct {
	Stage Stage         `json:"stage"`
	Took  time.Duration `json:"took_ns"`
}

// Line is one line of the dialogue.
type Line struct {
	At   time.Duration `json:"at_ns"` // since the conversation began
	From string        `json:"from"`  // "C" for us, "S" for the server
	Text string        `json:"text"`  // without line end; credentials replaced
}

// FailureSummary is the failure that ended the conversation, if one did.
type FailureSummary struct {
	Stage  Stage  `json:"stage"`
	Origin Origin `json:"origin"`
	Reply  *Reply `json:"reply,omitempty"` // nil: there was none
	Error  string `json:"error,omitempty"`
}

// Reply is a server's reply in its JSON form.
type Reply struct {
	Code     int      `json:"code"`
	Enhanced string   `json:"enhanced,omitempty"` // "5.1.1"
	Lines    []string `json:"lines"`              // without codes
}

// Summarise returns e in its JSON form; nil for nil.
func Summarise(e *Error) *FailureSummary {
	if e == nil {
		return nil
	}
	s := &FailureSummary{Stage: e.Stage, Origin: e.Origin}
	if !e.Reply.IsZero() {
		s.Reply = &Reply{Code: e.Reply.Code, Enhanced: e.Reply.Enhanced.String(), Lines: []string{}}
		for _, l := range e.Reply.Lines {
			s.Reply.Lines = append(s.Reply.Lines, Printable(l))
		}
	}
	if e.Err != nil {
		s.Error = Printable(e.Err.Error())
	}
	return s
}
