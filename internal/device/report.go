package device

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/explain"
)

// Status is a device, or a peer that is none and has failed, as an operator sees it.
// The JSON form is that of `wellsent device list --json`.
type Status struct {
	Name          string          `json:"name"` // "" for a peer that is no device
	Known         bool            `json:"known"`
	Addresses     []string        `json:"addresses"` // as configured
	Account       string          `json:"account"`
	Leniencies    []string        `json:"leniencies"` // keys of the configuration
	Peer          string          `json:"peer"`       // where it was seen last; "" never
	HELO          string          `json:"helo"`
	Listener      string          `json:"listener"`
	LastSeen      *time.Time      `json:"last_seen"` // nil: never
	LastMail      *time.Time      `json:"last_mail"` // nil: never
	Sessions      int64           `json:"sessions"`
	Messages      int64           `json:"messages"`
	TLS           string          `json:"tls"`            // used lately: "TLS 1.0", "none"; "" not known
	WeakTLS       *time.Time      `json:"weak_tls"`       // last below TLS 1.2; nil: never
	PlainPassword *time.Time      `json:"plain_password"` // last without TLS; nil: never
	Quirks        []string        `json:"quirks"`         // what was overlooked
	Expect        string          `json:"expect"`         // how often it should send; "" when nobody minds
	SilentSince   *time.Time      `json:"silent_since"`   // nil: it is not
	Failures      []FailureStatus `json:"failures"`       // newest first
	Worries       []Worry         `json:"worries"`
}

// FailureStatus is a failure with what it means.
type FailureStatus struct {
	At       time.Time `json:"at"`
	Cause    cause.ID  `json:"cause"`
	Title    string    `json:"title"` // of the cause; "" without one
	What     string    `json:"what"`  // a sentence: "scanner at 10.0.0.12 speaks TLS 1.0 only"
	Do       []string  `json:"do"`
	Listener string    `json:"listener"`
	Count    int       `json:"count"`
	Over     bool      `json:"over"` // mail has come since
}

// Kind is what a worry is about.
type Kind string

// The kinds of worry.
const (
	Silent        Kind = "silent"
	Failing       Kind = "failing"
	WeakTLS       Kind = "weak-tls"
	PlainPassword Kind = "plain-password"
)

// Worry is something about a device that wants a person's look.
type Worry struct {
	Device string   `json:"device"` // its name, or a peer's address
	Kind   Kind     `json:"kind"`
	Cause  cause.ID `json:"cause"`
	What   string   `json:"what"` // a sentence
	Do     []string `json:"do"`
}

// How long something counts as lately.
const (
	weaknessLasts = 30 * 24 * time.Hour // a device may send once a month
	failureLasts  = 7 * 24 * time.Hour  // who has not tried again in a week has given up
)

// Report returns the devices in the order of the configuration, and then the peers
// whose sessions have failed. It is pure.
func Report(s *Set, records []Record, now time.Time) []Status {
	out := []Status{}
	for _, d := range s.All() {
		i := slices.IndexFunc(records, func(r Record) bool { return r.Device == d.Name })
		r := &Record{Device: d.Name, Since: now} // the server has not run since it was configured
		if i >= 0 {
			r = &records[i]
		}
		out = append(out, status(&d, r, now))
	}
	for i := range records {
		r := &records[i]
		if r.Device == "" && len(r.Failures) > 0 {
			out = append(out, status(nil, r, now))
		}
	}
	return out
}

// Worries returns what of a report wants a look, in its order.
func Worries(report []Status) []Worry {
	all := []Worry{}
	for i := range report {
		all = append(all, report[i].Worries...)
	}
	return all
}

// status sums one record up; d is nil for a peer.
func status(d *Device, r *Record, now time.Time) Status {
	s := Status{
		Name: r.Device, Known: d != nil, Addresses: []string{}, Leniencies: []string{}, Peer: r.Peer, HELO: r.Name, Listener: r.Listener,
		LastSeen: instant(r.Seen), LastMail: instant(r.Mail), Sessions: r.Sessions, Messages: r.Messages,
		TLS: r.TLS, WeakTLS: instant(r.WeakTLS), PlainPassword: instant(r.Plain),
		Quirks: append([]string{}, r.Quirks...), Failures: []FailureStatus{}, Worries: []Worry{},
	}
	if d != nil {
		for _, p := range d.Addresses {
			if p.IsSingleIP() {
				s.Addresses = append(s.Addresses, p.Addr().String())
			} else {
				s.Addresses = append(s.Addresses, p.String())
			}
		}
		s.Account, s.Leniencies = d.Account, d.Leniency.Words()
		if d.Expect > 0 {
			s.Expect = spell(d.Expect)
			if since := later(r.Mail, r.Since); now.Sub(since) > d.Expect {
				s.SilentSince = &since
			}
		}
	}
	for _, f := range r.Failures {
		if f.Cause == "" {
			f.Cause = named(f.What)
		}
		x := FailureStatus{At: f.At, Cause: f.Cause, What: s.subject() + " " + f.What, Do: remedies(&f, r), Listener: f.Listener, Count: f.Count, Over: r.Mail.After(f.At)}
		if c, ok := cause.Lookup(f.Cause); ok {
			x.Title = c.Fill(cause.Facts{}).Title
		}
		s.Failures = append(s.Failures, x)
	}
	s.Worries = s.worries(r, now)
	return s
}

// named returns the cause of a refusal whose session has named none: the reply was
// made where no cause is known, and reads as anybody's. Only what it says of the
// sender is taken, which is most of what the client can mend.
func named(what string) cause.ID {
	_, reply, ok := strings.Cut(what, "refused: ")
	if !ok {
		return ""
	}
	if found := explain.Text(reply, explain.Facts{}); len(found) > 0 && found[0].Cause.Family() == "sender" {
		return found[0].Cause
	}
	return ""
}

// subject names a device or peer at the begin of a sentence.
func (s *Status) subject() string {
	switch {
	case s.Name == "":
		return "the client at " + s.Peer
	case s.Peer == "":
		return s.Name
	}
	return s.Name + " at " + s.Peer
}

// worries judges a status.
func (s *Status) worries(r *Record, now time.Time) []Worry {
	out := []Worry{}
	name := s.Name
	if name == "" {
		name = s.Peer
	}
	add := func(k Kind, id cause.ID, what string, do ...string) {
		out = append(out, Worry{Device: name, Kind: k, Cause: id, What: what, Do: append([]string{}, do...)})
	}
	if s.SilentSince != nil {
		what := fmt.Sprintf("%s is silent since %s: it is expected to send every %s", s.subject(), day(*s.SilentSince, now), s.Expect)
		if s.LastMail == nil {
			what = fmt.Sprintf("%s has never sent, as far as this server knows (since %s): it is expected to send every %s", s.subject(), day(*s.SilentSince, now), s.Expect)
		}
		add(Silent, "", what, "See whether it is on and on the network, and send a test mail from its own menu.",
			"If it connects, what goes wrong stands under its failures: wellsent device list")
	}
	// A stranger who fails at the door is no worry; somebody in one's own network is.
	if len(s.Failures) > 0 && (s.Known || ownPeer(s.Peer)) {
		if f := &s.Failures[0]; !f.Over && now.Sub(f.At) < failureLasts {
			add(Failing, f.Cause, f.What, f.Do...)
		}
	}
	if s.WeakTLS != nil && now.Sub(*s.WeakTLS) < weaknessLasts {
		version := s.TLS
		if version != "TLS 1.0" && version != "TLS 1.1" {
			version = "TLS 1.0 or 1.1"
		}
		add(WeakTLS, "tls.protocol-version", s.subject()+" uses "+version+", which no provider takes any more and which can be broken on the way",
			"Look for new firmware, or a setting for TLS versions in it.", "Until then keep it on a network of its own.")
	}
	if s.PlainPassword != nil && now.Sub(*s.PlainPassword) < weaknessLasts {
		add(PlainPassword, "auth.encryption-required", s.subject()+" sends its password without encryption: anybody on the way can read it",
			"Turn on STARTTLS or SSL/TLS in it, and then change the password: wellsent user passwd NAME", "A password that is used nowhere else does the least harm.")
	}
	return out
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// day returns when t was, as people say it.
func day(t, now time.Time) string {
	t = t.In(now.Location())
	switch days := now.Sub(t); {
	case days < 20*time.Hour:
		return t.Format("15:04")
	case days < 6*24*time.Hour:
		return t.Format("Monday 15:04")
	}
	return t.Format("2 January 2006")
}

// spell returns a duration without what is zero in it: "24h0m0s" is "24h".
func spell(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}
