package lab

import (
	"sync"
	"time"

	"github.com/wellsent/wellsent/internal/evidence"
)

// What is kept of conversations.
const (
	keptConversations = 100 // the oldest make room
	keptLines         = 400 // of one conversation; what follows is counted only
	maxShown          = 512 // octets of a line
)

// Line is one line of a conversation, or a remark on it.
type Line struct {
	At           time.Duration `json:"at_ns"`        // since the connection was opened
	Conversation int64         `json:"conversation"` // counted from 1
	From         string        `json:"from"`         // "C" client, "S" server, "" a remark of the lab
	Text         string        `json:"text"`         // without line end; credentials and content replaced
}

// Conversation is what one client did.
type Conversation struct {
	Number   int64     `json:"number"` // counted from 1
	Client   string    `json:"client"` // its address
	Began    time.Time `json:"began"`
	Ended    bool      `json:"ended"`
	TLS      string    `json:"tls"`  // the version agreed; "" none
	HELO     string    `json:"helo"` // the name given; "" none
	User     string    `json:"user"` // the login tried; "" none
	SignedIn bool      `json:"signed_in"`
	Accepted int       `json:"accepted"` // messages
	Lines    []Line    `json:"lines"`
	Dropped  int       `json:"dropped"` // lines not kept
}

// transcript is what clients did.
type transcript struct {
	mu     sync.Mutex // guards the fields below and every Conversation in them
	kept   []*Conversation
	number int64

	log func(Line) // immutable; called under nothing; may be nil
}

func (t *transcript) begin(client string) *Conversation {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.number++
	c := &Conversation{Number: t.number, Client: client, Began: time.Now(), Lines: []Line{}}
	if len(t.kept) == keptConversations {
		t.kept = append(t.kept[:0], t.kept[1:]...)
	}
	t.kept = append(t.kept, c)
	return c
}

func (t *transcript) line(c *Conversation, from, text string) {
	l := Line{At: time.Since(c.Began), Conversation: c.Number, From: from, Text: evidence.Clip(evidence.Printable(text), maxShown)}
	t.mu.Lock()
	if len(c.Lines) < keptLines {
		c.Lines = append(c.Lines, l)
	} else {
		c.Dropped++
	}
	t.mu.Unlock()
	if t.log != nil {
		t.log(l)
	}
}

// note changes what is known of a conversation.
func (t *transcript) note(c *Conversation, f func(*Conversation)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(c)
}

func (t *transcript) all() []Conversation {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]Conversation, 0, len(t.kept))
	for _, c := range t.kept {
		all = append(all, c.copied())
	}
	return all
}

func (t *transcript) copy(c *Conversation) Conversation {
	t.mu.Lock()
	defer t.mu.Unlock()
	return c.copied()
}

// copied returns c with lines of its own.
func (c *Conversation) copied() Conversation {
	copied := *c
	copied.Lines = append([]Line{}, c.Lines...)
	return copied
}
