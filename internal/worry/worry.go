package worry

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/dispatch"
	"github.com/wellsent/wellsent/internal/oauth"
)

// Kind is what a worry is about. Part of the JSON of `wellsent check`; a kind never
// changes its meaning.
type Kind string

// The kinds.
const (
	LanePaused  Kind = "lane-paused"  // nothing goes out by it until somebody acts
	LaneDown    Kind = "lane-down"    // for longer than mail may wait unannounced
	LaneNotice  Kind = "lane-notice"  // mail goes out, by a stand-in or by a name that was withdrawn
	OldMail     Kind = "old-mail"     // it has waited that long
	NoRoom      Kind = "no-room"      // the disk is full, so no new mail is taken
	DeadLetters Kind = "dead-letters" // nobody can be told of them
	HeldMail    Kind = "held-mail"    // its senders may not send by their route
	Certificate Kind = "certificate"  // the server's own ends, or has
	SignedOut   Kind = "signed-out"   // a route needs a person to sign in
	TokenFails  Kind = "token-fails"  // a route is refused a token
	Expiring    Kind = "expiring"     // a route's secret, certificate or refresh token ends
	Unreadable  Kind = "unreadable"   // something could not be looked at
	Device      Kind = "device-"      // and the device package's own kind: "device-silent"
)

// How long before its end something is worth a worry.
const (
	certificateAhead = 14 * 24 * time.Hour // automatic renewals come at 30 days; who has not by then will not
	secretAhead      = 30 * 24 * time.Hour // a new one takes an administrator
	signInAhead      = 14 * 24 * time.Hour // it takes a person
)

// Worry is one thing to look at.
type Worry struct {
	Kind    Kind       `json:"kind"`
	Subject string     `json:"subject"` // the lane, route or file
	What    string     `json:"what"`    // one sentence
	Now     bool       `json:"now"`     // it stops mail already
	Cause   cause.ID   `json:"cause"`   // "" for none
	Since   *time.Time `json:"since"`   // nil: not known
	Until   *time.Time `json:"until"`   // when it will stop mail; nil: not known
	Do      []string   `json:"do"`
}

// Sort puts what stops mail first, then what will sooner.
func Sort(all []Worry) {
	slices.SortStableFunc(all, func(a, b Worry) int {
		switch {
		case a.Now != b.Now && a.Now:
			return -1
		case a.Now != b.Now:
			return 1
		case a.Until != nil && b.Until == nil:
			return -1
		case a.Until == nil && b.Until != nil:
			return 1
		case a.Until != nil && !a.Until.Equal(*b.Until):
			return a.Until.Compare(*b.Until)
		}
		return cmp.Compare(a.Subject, b.Subject)
	})
}

// Lanes judges lanes. patience is how long one may be down.
func Lanes(lanes []dispatch.LaneStatus, patience time.Duration, now time.Time) []Worry {
	var all []Worry
	for _, l := range lanes {
		for _, n := range l.Notices {
			all = append(all, Worry{Kind: LaneNotice, Subject: l.Name, What: "lane " + l.Name + ": " + n, Do: []string{"see what is wrong: wellsent doctor --route " + l.Name}})
		}
		w := Worry{Subject: l.Name, Cause: l.Cause, Since: l.Since, Now: true, Do: append([]string{}, l.Do...)}
		switch {
		case l.State == "paused":
			w.Kind, w.What = LanePaused, fmt.Sprintf("lane %s is paused: %s", l.Name, orUnknown(l.Title))
			w.Do = append(w.Do, "then: wellsent queue resume --lane "+l.Name)
		case l.State == "down" && l.Since != nil && now.Sub(*l.Since) >= patience:
			w.Kind, w.What = LaneDown, fmt.Sprintf("lane %s has been down for %s: %s", l.Name, span(now.Sub(*l.Since)), orUnknown(l.Title))
		default:
			continue
		}
		all = append(all, w)
	}
	return all
}

func orUnknown(s string) string {
	if s == "" {
		return "the reason is not known"
	}
	return s
}

// Mail is what waits.
type Mail struct {
	Oldest time.Time // accepted then and queued still; zero: none waits
	Dead   int       // dead letters
	Held   int       // messages that the server holds by itself
}

// Queue judges what waits. patience is how long mail may.
func Queue(m Mail, patience time.Duration, now time.Time) []Worry {
	var all []Worry
	if age := now.Sub(m.Oldest); !m.Oldest.IsZero() && age >= patience {
		since := m.Oldest
		all = append(all, Worry{Kind: OldMail, Subject: "queue", Now: true, Since: &since, What: fmt.Sprintf("mail has waited for %s", span(age)),
			Do: []string{"see what holds it up: wellsent queue list"}})
	}
	if m.Held > 0 {
		what := fmt.Sprintf("%d messages are held, as their senders may not send by their route", m.Held)
		if m.Held == 1 {
			what = "one message is held, as its sender may not send by its route"
		}
		all = append(all, Worry{Kind: HeldMail, Subject: "queue", Now: true, What: what,
			Do: []string{"see which, and why: wellsent queue list --state held", "let the account send as them, or give the route a from; then: wellsent queue resume ID"}})
	}
	if m.Dead > 0 {
		what := fmt.Sprintf("%d messages could be neither delivered nor returned", m.Dead)
		if m.Dead == 1 {
			what = "one message could be neither delivered nor returned"
		}
		all = append(all, Worry{Kind: DeadLetters, Subject: "queue", Now: true, What: what,
			Do: []string{"see which: wellsent queue list --state dead", "then resume or cancel them: wellsent queue resume ID, wellsent queue cancel ID"}})
	}
	return all
}

// Room judges whether new mail is taken: err is what the spool says of its disk.
func Room(data string, err error) []Worry {
	if err == nil {
		return nil
	}
	return []Worry{{Kind: NoRoom, Subject: data, Now: true, Cause: "server.insufficient-storage", What: "no new mail is taken, as the disk of " + data + " is full: clients are told to try later",
		Do: []string{"see what fills it: df -h " + data, "make room: the server goes on by itself"}}}
}

// ServerCertificate judges the end of the certificate that clients are shown.
func ServerCertificate(file string, end, now time.Time) []Worry {
	if end.IsZero() || end.Sub(now) > certificateAhead {
		return nil
	}
	return []Worry{{Kind: Certificate, Subject: file, Now: !now.Before(end), Cause: "tls.certificate-expired", Until: &end,
		What: "the certificate in " + file + ends(end, now), Do: []string{"renew it: a running server takes the new file by itself"}}}
}

// ClientCertificate judges the certificate that a route shows to servers, by
// its end, or by the error of reading it.
func ClientCertificate(route string, end time.Time, err error, now time.Time) []Worry {
	switch {
	case err != nil:
		return []Worry{{Kind: Unreadable, Subject: route, Now: true, Cause: "client.bad-configuration", What: "the client certificate of route " + route + " cannot be read: " + err.Error(), Do: []string{}}}
	case end.Sub(now) > secretAhead:
		return nil
	}
	return []Worry{{Kind: Expiring, Subject: route, Now: !now.Before(end), Cause: "tls.client-certificate-required", Until: &end,
		What: "the client certificate of route " + route + ends(end, now), Do: []string{"put a new one in its place: a running server takes it by itself"}}}
}

// Tokens judges the source of a route's tokens.
func Tokens(s oauth.Status, now time.Time) []Worry {
	login := "wellsent route login " + s.Route
	switch {
	case s.Problem != "":
		return []Worry{{Kind: Unreadable, Subject: s.Route, Now: true, Cause: "client.bad-configuration", What: s.Problem, Do: []string{}}}
	case !s.SignedIn:
		return []Worry{{Kind: SignedOut, Subject: s.Route, Now: true, Cause: "auth.oauth-refresh-failed", What: "nobody has signed in for route " + s.Route + ", so it cannot send", Do: []string{login}}}
	}
	var all []Worry
	if s.Failing != "" {
		since := s.FailingSince
		w := Worry{Kind: TokenFails, Subject: s.Route, Now: true, Cause: "auth.oauth-refresh-failed", Since: &since, What: "route " + s.Route + " gets no new token: " + s.Failing, Do: []string{}}
		if s.Grant == oauth.RefreshToken {
			w.Do = append(w.Do, "sign in again: "+login)
		}
		all = append(all, w)
	}
	for _, e := range s.Expires {
		if e.At.Sub(now) > ahead(e) {
			continue
		}
		at := e.At
		all = append(all, Worry{Kind: Expiring, Subject: s.Route, Now: !now.Before(at), Cause: "auth.oauth-refresh-failed", Until: &at,
			What: "the " + e.What + " of route " + s.Route + ends(at, now), Do: []string{e.Means}})
	}
	return all
}

// ahead is how long before its end something is worth a worry: never more than a
// quarter of its life, or what is renewed each hour would always be one.
func ahead(e oauth.Expiry) time.Duration {
	d := secretAhead
	if e.What == oauth.ExpiryRefreshToken {
		d = signInAhead
	}
	if life := e.At.Sub(e.From); !e.From.IsZero() {
		d = min(d, life/4)
	}
	return d
}

// ends says when something ends or has ended.
func ends(at, now time.Time) string {
	day := at.Format(time.DateOnly)
	if left := at.Sub(now); left > 0 {
		return " ends in " + span(left) + ", on " + day
	}
	return " ended on " + day
}

// span writes a duration of the size of days or hours.
func span(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", int(d/(24*time.Hour)))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", int(d/time.Hour))
	}
	return fmt.Sprintf("%d minutes", int(d/time.Minute))
}
