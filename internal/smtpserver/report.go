package smtpserver

import (
	"slices"
	"time"

	"github.com/wellsent/wellsent/internal/device"
)

// note keeps what stands in the way of this client's mail, as said of it: "speaks
// TLS 1.0 only". A cause that is known takes the place of one that is not; else the
// first one stays, as what follows it is often its consequence.
func (s *session) note(id causeID, what string) {
	if s.noted == nil || s.noted.Cause == "" && id != "" {
		s.noted = &device.Failure{Cause: id, What: what}
	}
}

// overlook keeps what a leniency has let pass.
func (s *session) overlook(quirk string) {
	if !slices.Contains(s.quirks, quirk) {
		s.quirks = append(s.quirks, quirk)
	}
}

// report tells what the session showed. One that brought mail has not failed,
// whatever came after.
func (s *session) report() {
	r := device.Session{ID: s.client.SessionID, At: time.Now(), Listener: s.spec.Address, Peer: s.client.Addr.Addr(), Device: s.client.Device,
		Account: s.client.Account, Name: printableName(s.client.Name), Plain: s.plain, Messages: s.messages, Quirks: s.quirks}
	if s.client.TLS != nil {
		r.TLS = s.client.TLS.Version
	}
	if s.messages == 0 {
		r.Failure = s.noted
	}
	s.server.c.Ended(r)
}

// printableName returns the client's name fit to be kept: it is foreign.
func printableName(name string) string {
	b := []byte(name)
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}
