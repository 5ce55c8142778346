package smtpclient

import "time"

// The waits of RFC 5321 §4.5.3.2, and those it does not name.
const (
	connectTimeout   = 30 * time.Second // an address that does not answer by then does not answer; Postfix waits as long
	tlsTimeout       = 1 * time.Minute  // a handshake is two round trips
	greetingTimeout  = 5 * time.Minute  // RFC 5321 §4.5.3.2.1
	commandTimeout   = 5 * time.Minute  // EHLO, STARTTLS, AUTH, RSET; §4.5.3.2 gives 5 minutes to the commands it names
	mailTimeout      = 5 * time.Minute  // RFC 5321 §4.5.3.2.2
	rcptTimeout      = 5 * time.Minute  // RFC 5321 §4.5.3.2.3
	dataInitTimeout  = 2 * time.Minute  // RFC 5321 §4.5.3.2.4
	dataBlockTimeout = 3 * time.Minute  // RFC 5321 §4.5.3.2.5
	dataDotTimeout   = 10 * time.Minute // RFC 5321 §4.5.3.2.6
	quitTimeout      = 3 * time.Second  // the answer to QUIT changes nothing
	leavingTimeout   = 5 * time.Second  // replies still due from a server that has said 421 or whose line broke
)

// Timeouts are the waits of a conversation. A zero value is RFC 5321's.
type Timeouts struct {
	Connect, TLS, Greeting, Command, Mail, Rcpt, DataInit, DataBlock, DataDot, Quit, Leaving time.Duration
}

// withDefaults returns t with the zero values filled in.
func (t Timeouts) withDefaults() Timeouts {
	for _, f := range []struct {
		have *time.Duration
		want time.Duration
	}{
		{&t.Connect, connectTimeout}, {&t.TLS, tlsTimeout}, {&t.Greeting, greetingTimeout}, {&t.Command, commandTimeout},
		{&t.Mail, mailTimeout}, {&t.Rcpt, rcptTimeout}, {&t.DataInit, dataInitTimeout}, {&t.DataBlock, dataBlockTimeout},
		{&t.DataDot, dataDotTimeout}, {&t.Quit, quitTimeout}, {&t.Leaving, leavingTimeout},
	} {
		if *f.have == 0 {
			*f.have = f.want
		}
	}
	return t
}
