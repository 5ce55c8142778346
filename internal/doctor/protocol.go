package doctor

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtp"
)

// watched is a connection that remembers when and how the other side began.
type watched struct {
	net.Conn
	began time.Time
	first chan struct{} // closed by Read when the first octet came

	mu   sync.Mutex // guards the fields below
	took time.Duration
	head []byte
}

// maxHead is what is kept of what the other side says first, in octets.
const maxHead = 128

// Read notes the first octets.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n > 0 {
		w.mu.Lock()
		if w.took == 0 {
			w.took = max(time.Since(w.began), 1)
			close(w.first)
		}
		w.head = append(w.head, p[:min(n, maxHead-len(w.head))]...)
		w.mu.Unlock()
	}
	return n, err
}

// after returns how long the first octet took; 0 when none came.
func (w *watched) after() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.took
}

// start returns the first octets.
func (w *watched) start() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]byte(nil), w.head...)
}

func (w *watched) isTLS() bool { return identify(w.start()) == ProtoTLS }

// loopback reports whether the other side is this machine.
func (w *watched) loopback() bool {
	a, ok := w.RemoteAddr().(*net.TCPAddr)
	return ok && a.IP.IsLoopback()
}

// identify tells a protocol by the first octets of its server; "" for none.
func identify(head []byte) Protocol {
	if len(head) == 0 {
		return ""
	}
	if len(head) > 1 && head[0] >= 0x14 && head[0] <= 0x17 && head[1] == 3 { // RFC 8446 §5.1
		return ProtoTLS
	}
	s := strings.ToLower(strings.TrimLeft(string(head), " \t\r\n"))
	switch {
	case strings.HasPrefix(s, "220") && strings.Contains(s, "ftp") && !strings.Contains(s, "smtp"): // RFC 959 §5.4 has the same digits
		return ProtoOther
	case strings.HasPrefix(s, "220"), refusal(s):
		return ProtoSMTP
	case strings.HasPrefix(s, "* ok"), strings.HasPrefix(s, "* preauth"), strings.HasPrefix(s, "* bye"): // RFC 9051 §7.1
		return ProtoIMAP
	case strings.HasPrefix(s, "+ok"), strings.HasPrefix(s, "-err"): // RFC 1939 §3
		return ProtoPOP3
	case strings.HasPrefix(s, "http/"), strings.HasPrefix(s, "<!doctype"), strings.HasPrefix(s, "<html"):
		return ProtoHTTP
	case strings.HasPrefix(s, "ssh-"): // RFC 4253 §4.2
		return ProtoSSH
	}
	return ProtoOther
}

// refusal reports whether a greeting is a reply of 4yz or 5yz. RFC 5321 §4.3.2 has
// 554, and servers greet with others. Other 2yz than 220 are those of NNTP.
func refusal(s string) bool {
	code, _, _, _, err := smtp.ParseReplyLine([]byte(strings.TrimRight(strings.SplitN(s, "\n", 2)[0], "\r")))
	return err == nil && code >= 400
}

// greetsAsMail reports whether a greeting may be that of a mail server: RFC 5321
// §4.2 has the host's name first, and nearly all say SMTP. FTP has the same digits.
func greetsAsMail(greeting string) bool {
	fields := strings.Fields(greeting)
	if len(fields) < 2 {
		return true // nothing is said that would tell
	}
	s := strings.ToLower(greeting)
	return strings.Contains(fields[1], ".") && fields[1][0] != '.' || strings.HasPrefix(fields[1], "[") || strings.Contains(s, "smtp") || strings.Contains(s, "mail")
}

// spoken returns what is spoken at a port, from the first octets of the server and,
// under TLS, from its greeting.
func spoken(t *Talk, head []byte) Protocol {
	outer := identify(head)
	if outer == ProtoPOP3 && t.Security == Implicit && len(head) > 0 && head[0] == '-' {
		return ProtoOther // an answer to what we said: see speakFirst
	}
	if outer != ProtoTLS {
		return outer
	}
	if t.Record.Greeting == "" {
		return ProtoTLS
	}
	return identify([]byte(t.Record.Greeting))
}

// masked reports whether something on the way overwrites what the server says:
// rows of X in place of an extension, of asterisks in place of the greeting.
func masked(t *Talk) bool {
	if strings.Contains(t.Record.Greeting, "********") {
		return true
	}
	lines := t.Extensions
	for _, l := range t.Record.Lines { // those of the first EHLO, where there were two
		if l.From == "S" && len(l.Text) > 4 && strings.HasPrefix(l.Text, "250") {
			lines = append(lines, l.Text[4:])
		}
	}
	for _, l := range lines {
		word, _, _ := strings.Cut(l, " ")
		if len(word) >= 4 && strings.Trim(word[:len(word)-1], "X") == "" || strings.Contains(l, "********") {
			return true
		}
	}
	return false
}

// nudge speaks first where a server says nothing, and returns what is spoken there;
// "" when that says nothing either.
func (r *run) nudge(ctx context.Context, at Endpoint, s Security) Protocol {
	r.progress(Progress{Probe: string(probeNudge), About: at.String()})
	began := time.Now()
	found := r.speakFirst(ctx, at, s)
	r.progress(Progress{Probe: string(probeNudge), About: at.String(), Done: true, Took: time.Since(began), Said: string(found), Well: found == ProtoSMTP})
	return found
}

func (r *run) speakFirst(ctx context.Context, at Endpoint, s Security) Protocol {
	ctx, cancel := context.WithTimeout(ctx, r.share(experiment, 0.25))
	defer cancel()
	t := &Talk{Endpoint: at, Security: s, Why: talkNudge}
	conn, a, _ := r.connection(ctx, t)
	if conn == nil {
		return ""
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	began := time.Now()
	if s == Implicit {
		secured := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: strings.Trim(at.Host, "[]")}) // nothing is told but EHLO
		if err := secured.HandshakeContext(ctx); err != nil {
			return ""
		}
		conn = secured
	}
	if _, err := conn.Write([]byte("EHLO " + r.q.Hostname + "\r\n\r\n")); err != nil {
		return ""
	}
	head := make([]byte, maxHead)
	n, _ := conn.Read(head)
	if t.Spoke = identify(head[:n]); t.Spoke == ProtoPOP3 {
		t.Spoke = ProtoOther // POP3 greets first; this is Redis, which says -ERR to what it does not know
	}
	t.First = time.Since(began)
	first, _, _ := strings.Cut(string(head[:n]), "\n")
	t.Record = &evidence.Record{
		Version: evidence.Version, Host: at.Host, Port: at.Port, Addresses: []string{a.String()}, Dials: []evidence.Dial{},
		Extensions: []string{}, Steps: []evidence.Step{}, Notes: []string{"spoke first, because the server said nothing"},
		Lines: []evidence.Line{{From: "C", Text: "EHLO " + r.q.Hostname}, {At: t.First, From: "S", Text: evidence.Printable(strings.TrimSpace(first))}},
	}
	t.Failure = &evidence.Error{Origin: evidence.OriginNetwork, Stage: evidence.StageGreeting, Scope: evidence.ScopeHost, Host: at.Host, Err: errNoGreeting}
	r.mu.Lock()
	r.f.Talks = append(r.f.Talks, t)
	r.mu.Unlock()
	return t.Spoke
}
