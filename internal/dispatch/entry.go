package dispatch

import (
	"time"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/spool"
)

// Entry is one recipient as an operator sees it. The JSON form is that of
// `wellsent queue list --json`.
type Entry struct {
	QueueID     spool.QueueID  `json:"queue_id"`
	Index       int            `json:"index"`
	From        smtp.Path      `json:"from"`
	Address     smtp.Path      `json:"address"`
	State       spool.State    `json:"state"`
	Cause       cause.ID       `json:"cause"` // "" when it has not been tried and its lane is well
	Title       string         `json:"title"`
	Reply       string         `json:"reply"`
	Detail      string         `json:"detail"`
	Stage       evidence.Stage `json:"stage"`
	Host        string         `json:"host"`
	NextAttempt *time.Time     `json:"next_attempt"` // nil: none is planned
	Attempts    int            `json:"attempts"`
	Lane        string         `json:"lane"`
	LanePaused  bool           `json:"lane_paused"`
	Waits       string         `json:"waits"` // for what pace: "the provider's limit (30 messages a minute)"; "" for none
	Size        int64          `json:"size"`  // octets
	Received    time.Time      `json:"received"`
	Expires     *time.Time     `json:"expires"` // nil: never
	Actor       cause.Actor    `json:"actor"`
	Retry       cause.Retry    `json:"retry"`
	Why         string         `json:"why"`
	Do          []string       `json:"do"`
	Unsure      bool           `json:"unsure"` // the last attempt may have delivered it
	Device      string         `json:"device"` // that it comes from; "" for none
}

// Detail is one message as an operator sees it.
type Detail struct {
	QueueID  spool.QueueID `json:"queue_id"`
	From     smtp.Path     `json:"from"`
	Account  string        `json:"account"`
	Peer     string        `json:"peer"`
	Listener string        `json:"listener"`
	Device   string        `json:"device"` // "" for none
	Received time.Time     `json:"received"`
	Size     int64         `json:"size"` // octets
	Header   string        `json:"header"`
	Entries  []Entry       `json:"recipients"` // terminal ones among them
}

// Filter selects entries for List. The zero Filter selects all.
type Filter struct {
	States []string `json:"states"` // any of these; none: all
	Lane   string   `json:"lane"`
	ID     string   `json:"id"`
}

// Selection says what an order is about: messages by id, all of a lane, or all.
type Selection struct {
	IDs  []string `json:"ids"`
	Lane string   `json:"lane"`
	All  bool     `json:"all"`
}

// Done is what an order did.
type Done struct {
	Recipients int      `json:"recipients"` // that it changed
	Skipped    []string `json:"skipped"`    // messages that it could not change, and why
}

// LaneStatus is one lane as an operator sees it.
type LaneStatus struct {
	Name      string      `json:"name"`
	State     string      `json:"state"` // open, slow, down, paused
	Cause     cause.ID    `json:"cause"`
	Title     string      `json:"title"`
	Reply     string      `json:"reply"`
	Since     *time.Time  `json:"since"`      // of the state; nil when open
	NextProbe *time.Time  `json:"next_probe"` // nil when nothing keeps it
	Waits     string      `json:"waits"`      // for what pace, until NextProbe; "" for none
	Workers   int         `json:"workers"`
	Queued    int         `json:"queued"` // recipients
	Actor     cause.Actor `json:"actor"`
	Why       string      `json:"why"`
	Do        []string    `json:"do"`
	Notices   []string    `json:"notices"` // what should be known although mail goes: a stand-in serves, a name was withdrawn
}
