package device

import (
	"net/netip"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
)

// Session is what one connection showed.
type Session struct {
	ID       string
	At       time.Time // when it ended
	Listener string    // as configured
	Peer     netip.Addr
	Device   string   // the device it was; "" for none
	Account  string   // that logged in; "" for none
	Name     string   // in EHLO or HELO
	TLS      uint16   // version; 0: none
	Plain    bool     // a password came without TLS
	Messages int      // that were taken
	Quirks   []string // what was overlooked
	Failure  *Failure // why nothing came of it; nil: something did, or nothing was tried
}

// Failure is a session that came to nothing.
type Failure struct {
	At       time.Time `json:"at"`
	Cause    cause.ID  `json:"cause"` // "" when none fits
	What     string    `json:"what"`  // what was seen, as said of the device: "speaks TLS 1.0 only"
	Do       string    `json:"do"`    // what helps; "" when that is the cause's own
	Listener string    `json:"listener"`
	Count    int       `json:"count"` // how often in a row
}
