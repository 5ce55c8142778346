package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/explain"
)

// Grant is how a route comes by its access tokens, and what asks for one.
type Grant struct {
	Route    string
	Provider string // "microsoft", "google" or "custom"
	Kind     string // "client_credentials", "refresh_token", "jwt_bearer", "managed_identity", "token_command"
	Via      string // what the token is for: "smtp", "graph" or "gmail"
	Tenant   string
	ClientID string
	Mailbox  string // as which the route logs in

	// Token asks the identity provider for a new token. Where it has none, the answer
	// says why.
	Token func(context.Context) (string, GrantAnswer)

	// Directory asks whether the provider has the tenant, for where the answer to Token
	// does not say; nil: it cannot be asked.
	Directory func(context.Context) DirectoryAnswer

	// Send sends a message by the HTTP API that the token is for; nil: by SMTP.
	Send func(ctx context.Context, token, to string, message []byte) *evidence.Error
}

// GrantAnswer is what became of asking for a token.
type GrantAnswer struct {
	Host   string // asked; "": none
	Words  string // the code and the words of the refusal; "": there is a token
	Status int    // of HTTP; 0: there was no answer
	Passes bool   // an outage, which may pass by itself
}

// DirectoryAnswer is what a provider publishes of a tenant.
type DirectoryAnswer struct {
	Asked, Exists bool
	Words         string // of the refusal
}

// StepState is what is known of a step.
type StepState string

// The states.
const (
	StepOK         StepState = "ok"
	StepFailed     StepState = "failed"
	StepNotReached StepState = "not reached" // a step before it failed
	StepUnknown    StepState = "unknown"     // nothing that was seen tells
)

// Step is one step of the way of a token to a sent message.
type Step struct {
	ID    string    `json:"id"`
	Title string    `json:"title"`
	State StepState `json:"state"`
	Seen  []string  `json:"seen"` // what shows it
}

// walk is the way of a route's token, judged.
type walk struct {
	steps  []Step
	failed *cause.StepCase // of the first step that failed; nil: none
	seen   []string        // what shows that
	facts  cause.Facts
}

// grantSteps returns the steps of the question, none without a grant.
func (j *judge) grantSteps() []*cause.Step {
	g := j.q.Grant
	if g == nil {
		return nil
	}
	provider := g.Provider
	if t := j.f.Token; g.Kind == "token_command" && t != nil && t.microsoft {
		provider = "microsoft" // the token says so
	} else if provider == "" {
		provider = "custom"
	}
	return cause.Steps(provider, g.Via, g.Kind)
}

// walk judges how far a route's token comes. It is a ladder like that of the
// findings: what the identity provider answers, then what the token says of itself,
// then what the mail server says to it. The first step that fails hides the others.
func (j *judge) walk() *walk {
	list := j.grantSteps()
	if len(list) == 0 || j.f.Grant == nil {
		return nil
	}
	w := &walk{facts: j.grantFacts()}
	for _, s := range list {
		w.steps = append(w.steps, Step{ID: s.ID, Title: s.Title, State: StepUnknown, Seen: []string{}})
	}
	switch a := j.f.Grant; {
	case a.Words != "":
		j.refusedGrant(w, list, a)
	default:
		w.issued(list)
		j.tokenSteps(w, list)
		if w.failed == nil {
			j.serverSteps(w, list)
		}
	}
	return w
}

// grantFacts returns the facts that remedies are filled with.
func (j *judge) grantFacts() cause.Facts {
	g := j.q.Grant
	f := cause.Facts{Host: j.q.Host, User: g.Mailbox, Sender: j.q.From, App: g.ClientID, Tenant: g.Tenant, Mailbox: g.Mailbox, Route: g.Route}
	if f.Sender == "" {
		f.Sender = g.Mailbox
	}
	if t := j.f.Token; t != nil {
		if f.Object = t.Object; !t.appOnly() {
			f.Object = "" // that of a person
		}
		if f.App == "" {
			f.App = t.App
		}
		if f.Tenant == "" {
			f.Tenant = t.Tenant
		}
	}
	return f
}

// fail marks a step as the one that failed.
func (w *walk) fail(i int, c *cause.StepCase, seen ...string) {
	w.failed, w.seen = c, seen
	w.steps[i].State, w.steps[i].Seen = StepFailed, append([]string{}, seen...)
	for k := range w.steps {
		switch {
		case k < i && w.steps[k].State == StepUnknown && c.Sure == "":
			w.steps[k].State = StepOK // the service looks at it first
		case k > i:
			w.steps[k].State = StepNotReached
		}
	}
}

// forget takes back what a failure of step i says of those before it.
func (w *walk) forget(i int) {
	for k := range w.steps[:i] {
		w.steps[k].State, w.steps[k].Seen = StepUnknown, []string{}
	}
}

// at returns the index of a step, or -1.
func (w *walk) at(id string) int {
	return slices.IndexFunc(w.steps, func(s Step) bool { return s.ID == id })
}

// ok marks a step as done.
func (w *walk) ok(id string, seen ...string) {
	if i := w.at(id); i >= 0 && w.steps[i].State == StepUnknown {
		w.steps[i].State, w.steps[i].Seen = StepOK, append(w.steps[i].Seen, seen...)
	}
}

// refusedGrant judges an identity provider that gave out no token.
func (j *judge) refusedGrant(w *walk, list []*cause.Step, a *GrantAnswer) {
	for i, s := range list {
		if c := s.Match(a.Words); c != nil {
			w.fail(i, c, a.Words)
			if a.Status == 0 { // known here already, so nobody has looked at the steps before it
				w.forget(i)
			}
			j.directory(w, list)
			return
		}
	}
	j.directory(w, list)
}

// directory notes what the provider publishes of the tenant.
func (j *judge) directory(w *walk, list []*cause.Step) {
	d := j.f.Directory
	i := w.at("tenant")
	if d == nil || !d.Asked || i < 0 {
		return
	}
	if d.Exists {
		if w.steps[i].State != StepFailed {
			w.steps[i].State, w.steps[i].Seen = StepOK, []string{"the provider publishes its settings"}
		}
		return
	}
	if c := list[i].Match(d.Words); c != nil {
		w.fail(i, c, d.Words)
	}
}

// beforeToken are the steps that a token proves to be done.
var beforeToken = []string{"command", "tenant", "application", "credential", "client", "account", "delegation", "mailbox", "sign-in", "policy", "consent", "token"}

// issued marks what is proven by there being a token.
func (w *walk) issued(list []*cause.Step) {
	for i, s := range list {
		if slices.Contains(beforeToken, s.ID) && (s.ID != "token" || s.Provider == "custom") {
			w.steps[i].State, w.steps[i].Seen = StepOK, []string{"a token was issued"}
		}
	}
}

// tokenSteps judges what the token says of itself. Only Microsoft's are readable.
func (j *judge) tokenSteps(w *walk, list []*cause.Step) {
	t := j.f.Token
	if t == nil || !t.Readable || !t.microsoft {
		return
	}
	graph := j.q.Grant.Via == "graph"
	now := j.q.now()
	for i, s := range list {
		switch s.ID {
		case "audience":
			said := "its audience is " + listOf(t.Audience)
			switch {
			case len(t.Audience) == 0:
			case graph && !t.forGraph(), !graph && t.wrongAudience():
				w.fail(i, &s.StepCase, said)
				return
			default:
				w.ok(s.ID, said)
			}
		case "permission": // what Exchange Online itself grants to an app is not in the token: it decides
			said := "it allows " + t.allows()
			if w.steps[i].Seen = []string{said}; !t.lacksScope() && t.allows() != "nothing" {
				w.steps[i].State = StepOK
			}
		case "scope":
			said := "it allows " + t.allows()
			if t.lacksScope() || t.allows() == "nothing" {
				w.fail(i, &s.StepCase, said)
				return
			}
			w.ok(s.ID, said)
		case "permission-graph":
			switch said := "it allows " + t.allows(); {
			case t.maySendByGraph():
				w.ok(s.ID, said)
			case t.appOnly():
				w.steps[i].Seen = []string{said, "an app's right to one mailbox, given in Exchange Online, is not in the token"}
			default:
				w.fail(i, &s.StepCase, said)
				return
			}
		case "token":
			switch {
			case t.expired(now):
				w.fail(i, s.Match("the token has expired"), fmt.Sprintf("it was just issued and is good until %s, and this machine's clock says %s", t.Expires.Format(time.RFC3339), now.UTC().Format(time.RFC3339)))
				return
			case t.User != "" && !t.appOnly() && j.q.Grant.Mailbox != "" && !strings.EqualFold(t.User, j.q.Grant.Mailbox):
				w.steps[i].Seen = []string{"it was issued for " + t.User} // a shared mailbox, or an alias: the server decides
			case t.User != "":
				w.ok(s.ID, "it was issued for "+t.User)
			case t.appOnly():
				w.ok(s.ID, "it is the app's own")
			}
		}
	}
}

// serverSteps judges what the mail server said to the token.
func (j *judge) serverSteps(w *walk, list []*cause.Step) {
	said, accepted := j.loginWords()
	switch {
	case j.q.Grant.Via != "smtp":
		if e := j.f.Envelope; e != nil && e.Sent {
			for _, id := range []string{"token", "audience", "permission-graph", "scope", "policy", "api"} {
				w.ok(id, "a message was taken")
			}
		}
	case accepted:
		for _, id := range []string{"token", "scope", "permission", "audience", "smtp-policy", "smtp-auth", "service-principal", "login"} {
			w.ok(id, "the login is accepted")
		}
	case said != "":
		j.refusedToken(w, list, said)
		return
	default:
		return
	}
	e := j.f.Envelope
	switch {
	case e == nil:
	case e.failure() != nil:
		said := replyWords(e.failure())
		for i, s := range list {
			if c := s.Match(said); c != nil && w.steps[i].State == StepUnknown {
				w.fail(i, c, said)
				return
			}
		}
	case e.Sent:
		w.ok("mailbox-right", "a message was taken")
		w.ok("mailbox-right-graph", "a message was taken")
	}
	for _, id := range []string{"mailbox-right", "mailbox-right-graph", "api"} {
		if i := w.at(id); i >= 0 && w.steps[i].State == StepUnknown {
			w.steps[i].Seen = append(w.steps[i].Seen, "it shows only when a message is sent: --send --to ADDR")
		}
	}
}

// refusedToken judges a login that was refused.
func (j *judge) refusedToken(w *walk, list []*cause.Step, said string) {
	// A permission that the token lacks, or a token of somebody else's, explains a
	// refusal without a reason.
	for _, id := range []string{"permission", "token"} {
		if i := w.at(id); i >= 0 && w.steps[i].State == StepUnknown && len(w.steps[i].Seen) > 0 && strings.Contains(said, "535 5.7.3 ") {
			w.fail(i, &list[i].StepCase, append(slices.Clone(w.steps[i].Seen), said)...)
			return
		}
	}
	for i, s := range list {
		if w.steps[i].State != StepUnknown {
			continue
		}
		if c := s.Match(said); c != nil {
			w.fail(i, c, said)
			return
		}
	}
}

// loginWords returns what the server said to the login, and whether it accepted it.
func (j *judge) loginWords() (said string, accepted bool) {
	n := len(j.f.Logins)
	if n == 0 {
		return "", false
	}
	l := &j.f.Logins[n-1]
	if l.Failure == nil {
		return "", true
	}
	said = replyWords(l.Failure)
	if l.Challenge != "" {
		said = l.Challenge + "\n" + said
	}
	return said, false
}

// replyWords returns a reply, or what failed without one.
func replyWords(e *evidence.Error) string {
	if !e.Reply.IsZero() {
		return e.Reply.String()
	}
	return e.Error()
}

// grant judges the way of a route's token.
func (j *judge) grant() *Finding {
	g := j.q.Grant
	if g == nil || j.f.Grant == nil {
		return nil
	}
	w := j.walk()
	if w != nil && w.failed != nil {
		return j.failedStep(w)
	}
	if a := j.f.Grant; a.Words != "" { // refused in words that no step knows
		said := explain.Text(a.Words, explain.Facts{Host: a.Host, User: g.Mailbox})
		if a.Status == 0 && len(said) > 0 && said[0].Cause != "" {
			x := j.finding(said[0], explain.Likely, a.Words)
			x.Subject = cut(a.Host, "route "+g.Route)
			return x
		}
		x := j.find("auth.oauth-refresh-failed", explain.Likely, a.Words)
		x.Subject = "route " + g.Route
		if a.Passes {
			x.Confidence, x.Retry = explain.Possible, cause.RetryLater
			x.first("Wait and try again: the sign-in service says that it has a passing fault.")
		}
		return x
	}
	return nil
}

func cut(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// failedStep returns the finding of the step that failed.
func (j *judge) failedStep(w *walk) *Finding {
	sure := explain.Certain
	if w.failed.Sure != "" {
		sure = explain.Confidence(w.failed.Sure)
	}
	id := w.failed.Cause
	x := j.find(id, sure, w.seen...)
	text := w.failed.Fill(w.facts)
	x.Title, x.Why, x.Do = text.Title, text.Why, text.Do
	x.Subject = "route " + j.q.Grant.Route
	x.Actor = cause.ActorSenderAdmin // whoever runs the route, or the directory
	for _, s := range w.steps {
		if s.State == StepOK {
			x.RuledOut = append(x.RuledOut, s.Title)
		}
	}
	if t := j.f.Token; t != nil && t.Readable {
		if said := tokenWords(t); said != "" {
			x.Seen = append(x.Seen, said)
		}
	}
	return x
}
