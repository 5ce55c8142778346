package api

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtp"
)

// maxHeader bounds a header section, in octets. A longer one is no message that
// people write.
const maxHeader = 512 << 10

// Mail is one message with its envelope.
type Mail struct {
	Recipients []smtp.Path
	Content    func() (io.ReadCloser, error) // the header section and the body; may be called more than once
	Size       int64                         // octets of Content, or some fewer
}

// Answer is what became of a message.
type Answer struct {
	Reply      smtp.Reply      // to the request that sent it; zero: there was none
	Err        *evidence.Error // nil: the service has it
	RetryAfter time.Duration   // how long the service asks to be left alone; 0: not said
	Notes      []string        // what was done about the message on the way
}

// Uncertain reports whether the message may have been accepted although Err says
// otherwise.
func (a *Answer) Uncertain() bool {
	return a.Err != nil && a.Err.Stage == evidence.StagePostData && a.Err.Reply.IsZero()
}

// Accepted returns the reply that stands for a success.
func Accepted(status int, what string) smtp.Reply {
	return smtp.NewReply(250, 0, 0, fmt.Sprintf("HTTP %d %s", status, what))
}

// Opened is a message as an interface is given it.
type Opened struct {
	Head []byte    // the header section with the empty line, with the envelope's recipients
	Body io.Reader // the rest
	Note string    // what was changed that a reader can see; ""
	c    io.Closer
}

// Close closes what Open has opened.
func (o *Opened) Close() error { return o.c.Close() }

// All returns head and body in one stream.
func (o *Opened) All() io.Reader { return io.MultiReader(strings.NewReader(string(o.Head)), o.Body) }

// Open reads the header section and has it name the recipients of the envelope
// and nobody else.
func (m *Mail) Open() (*Opened, *evidence.Error) {
	for _, r := range m.Recipients {
		if strings.ContainsFunc(string(r), func(c rune) bool { return c < ' ' || c == 0x7f }) {
			return nil, refusal(smtp.NewReply(501, 1, 3, "a recipient address has a control character in it"), evidence.StageRcpt)
		}
	}
	content, err := m.Content()
	if err != nil {
		return nil, unreadable(err)
	}
	br := bufio.NewReaderSize(content, 64<<10)
	head, err := headerSection(br)
	if err != nil {
		content.Close()
		if errors.Is(err, errLongHeader) {
			return nil, refusal(smtp.NewReply(554, 6, 0, err.Error()), evidence.StageData)
		}
		return nil, unreadable(err)
	}
	out, note := addressTo(head, m.Recipients)
	return &Opened{Head: out, Body: br, Note: note, c: content}, nil
}

// Hand reads the message into memory and gives it to send; what was noted in reading
// is added to the answer. One of more than limit octets is refused: the service at
// host takes no more.
func (m *Mail) Hand(host, service string, limit int64, send func(raw []byte) *Answer) *Answer {
	if m.Size > limit {
		return &Answer{Err: TooLarge(host, fmt.Sprintf("the message has %d octets, and %s takes at most %d", m.Size, service, limit))}
	}
	o, err := m.Open()
	if err != nil {
		return &Answer{Err: err}
	}
	raw, rerr := io.ReadAll(o.All())
	o.Close() // it was read to its end, or the failure to do so is told
	if rerr != nil {
		return &Answer{Err: Unreadable(rerr)}
	}
	a := send(raw)
	if o.Note != "" {
		a.Notes = append(a.Notes, o.Note)
	}
	return a
}

var errLongHeader = fmt.Errorf("the header section is longer than %d octets", maxHeader)

// headerSection reads up to and with the empty line, or to the end.
func headerSection(br *bufio.Reader) ([]byte, error) {
	var head []byte
	for {
		l, err := br.ReadSlice('\n')
		start := len(head) == 0 || head[len(head)-1] == '\n'
		head = append(head, l...)
		switch {
		case len(head) > maxHeader:
			return nil, errLongHeader
		case err == io.EOF:
			return head, nil
		case err == bufio.ErrBufferFull:
			continue
		case err != nil:
			return nil, err
		}
		if start && (string(l) == "\r\n" || string(l) == "\n") {
			return head, nil
		}
	}
}

// refusal is an answer of our own.
func refusal(r smtp.Reply, stage evidence.Stage) *evidence.Error {
	return &evidence.Error{Reply: r, Origin: evidence.OriginLocal, Stage: stage, Scope: evidence.ScopeMessage}
}

// unreadable is a message that the spool does not give. The message waits.
func unreadable(err error) *evidence.Error {
	e := refusal(smtp.NewReply(451, 3, 0, "the message could not be read here"), evidence.StageData)
	e.Err = err
	return e
}

// Unreadable is a message that the spool does not give to the end.
func Unreadable(err error) *evidence.Error { return unreadable(err) }

// TooLarge is a message that no request of an interface can carry.
func TooLarge(host string, why string) *evidence.Error {
	e := refusal(smtp.NewReply(552, 3, 4, why), evidence.StageMail)
	e.Host = host
	return e
}
