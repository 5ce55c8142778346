package doctor

import (
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/explain"
)

// ReportVersion is the version of the JSON form of a Report.
const ReportVersion = 1

// Verdict is the answer in one word.
type Verdict string

// The verdicts.
const (
	OK      Verdict = "ok"      // all that was asked for works
	Problem Verdict = "problem" // something was found
	Unsure  Verdict = "unsure"  // not all could be tried, and nothing was found
)

// Report is the answer to a Question. Lists are never nil.
type Report struct {
	Version  int       `json:"version"`
	Target   Target    `json:"target"`
	Verdict  Verdict   `json:"verdict"`
	Findings []Finding `json:"findings"` // the root cause first
	Warnings []Finding `json:"warnings"` // what does not stop this mail
	Works    Works     `json:"works"`    // what was tried and succeeded
	Untested []string  `json:"untested"` // what was asked for and could not be tried, and why
	Steps    []Step    `json:"steps"`    // of a route's token on its way; none without one
	Origin   []string  `json:"origin"`   // where the settings come from, where they were not typed
	Evidence []Item    `json:"evidence"`
	TookMS   int64     `json:"took_ms"`

	about string // where there is no server
}

// Target is the server that was asked, and how it is secured as far as is known.
type Target struct {
	Host     string   `json:"host"`
	Port     int      `json:"port"`
	Security Security `json:"security"`
}

// Finding is one cause, with what shows it and what to do.
type Finding struct {
	Cause      cause.ID           `json:"cause"`
	Title      string             `json:"title"`
	Confidence explain.Confidence `json:"confidence"`
	Subject    string             `json:"subject"`
	Seen       []string           `json:"seen"`
	RuledOut   []string           `json:"ruled_out"`
	Why        string             `json:"why"`
	Do         []string           `json:"do"`
	Actor      cause.Actor        `json:"actor"`
	Retry      cause.Retry        `json:"retry"`
}

// Works is a settings card. Empty fields are left out, so that nothing is {}.
type Works struct {
	Host     string   `json:"host,omitempty"`
	Port     int      `json:"port,omitempty"`
	Security Security `json:"security,omitempty"`
	TLS      string   `json:"tls,omitempty"`
	Until    string   `json:"certificate_until,omitempty"` // a date
	User     string   `json:"user,omitempty"`
	Auth     string   `json:"auth,omitempty"` // SASL mechanism
	From     string   `json:"from,omitempty"`
	To       string   `json:"to,omitempty"`
	Sent     bool     `json:"sent,omitempty"`
	MaxSize  int64    `json:"max_size,omitempty"` // octets
	Hello    string   `json:"hello,omitempty"`    // the name for EHLO, where only that one works
	Proxy    string   `json:"proxy,omitempty"`    // what it was reached through, without a password
}

// Where returns what a report is about: the server, or a route.
func (r *Report) Where() string {
	if r.Target.Host == "" {
		return r.about
	}
	return Endpoint{r.Target.Host, r.Target.Port}.String()
}

// Empty reports whether nothing worked.
func (w *Works) Empty() bool { return w.Host == "" }

// Item is one thing that was tried.
type Item struct {
	Probe   string           `json:"probe"`
	About   string           `json:"about"`
	Outcome string           `json:"outcome"`
	TookMS  int64            `json:"took_ms"`
	Record  *evidence.Record `json:"record,omitempty"`
}

// NewReport judges the facts. It is pure.
func NewReport(q *Question, f *Facts) *Report {
	j := &judge{q: q, f: f}
	r := &Report{
		Version: ReportVersion, Target: Target{Host: q.Host, Port: q.Port, Security: q.Security},
		Findings: j.findings(), Warnings: j.warnings(), Works: j.works(), Untested: j.untested(), Origin: append([]string{}, q.Origin...), Evidence: items(f), TookMS: f.Took.Milliseconds(),
	}
	r.Steps, r.about = []Step{}, q.subject()
	if w := j.walk(); w != nil {
		r.Steps = w.steps
	}
	if t := j.effective(); t != nil && (t.Failure == nil || t.TLS != "") {
		r.Target.Security, r.Target.Port = t.Security, t.Port
	}
	if len(r.Findings) > 0 {
		for _, e := range slices.Backward(q.program.edits(&r.Works)) {
			r.Findings[0].first(e)
		}
	}
	switch {
	case len(r.Findings) > 0 && !(f.OutOfTime && r.Findings[0].Confidence == explain.Possible):
		r.Verdict = Problem
	case len(r.Findings) > 0 || len(r.Untested) > 0:
		r.Verdict = Unsure
	default:
		r.Verdict = OK
	}
	r.scrub(q.secrets())
	return r
}

// untested lists what was asked for and not tried.
func (j *judge) untested() []string {
	list := []string{}
	if j.f.Withheld != "" {
		list = append(list, j.f.Withheld)
	}
	if p := j.q.program; p != nil && p.unread != "" && j.q.User == "" {
		list = append(list, "the login: "+p.unread)
	}
	if w := j.walk(); w != nil && w.failed == nil && j.q.Host == "" && (j.f.Envelope == nil || !j.f.Envelope.Sent) && j.f.Grant.Words == "" {
		list = append(list, "whether "+j.q.Grant.Mailbox+" may send was not tried: it shows only when a message is sent (--send --to ADDR)")
	}
	switch {
	case j.f.Stopped:
		list = append(list, "not everything was tried: it was interrupted")
	case j.f.OutOfTime:
		list = append(list, "not everything was tried: the "+inWords(j.q.Timeout)+" given (--timeout) were over")
	}
	return list
}

// items returns what was tried, for the evidence of a report.
func items(f *Facts) []Item {
	list := []Item{}
	for i := range f.Names {
		n := &f.Names[i]
		outcome := addressList(n.Addresses)
		if n.Kind != "" {
			outcome = string(n.Kind)
		}
		about := n.Name
		if n.Server != "" {
			about += " at " + n.Server
		}
		list = append(list, Item{Probe: string(probeName), About: about, Outcome: outcome, TookMS: n.Took.Milliseconds()})
	}
	for i := range f.Connects {
		c := &f.Connects[i]
		p := probe{kind: probeConnect, at: c.Endpoint, address: c.Address, through: c.Through}
		list = append(list, Item{Probe: string(probeConnect), About: p.about(), Outcome: string(c.Outcome), TookMS: c.Took.Milliseconds()})
	}
	for _, t := range f.Talks {
		outcome := "ok"
		if t.Failure != nil {
			outcome = evidence.Clip(evidence.Printable(t.Failure.Error()), 300)
		}
		var took time.Duration
		for _, s := range t.Record.Steps {
			took += s.Took
		}
		p := probe{kind: probeTalk, at: t.Endpoint, security: t.Security, through: t.Through}
		list = append(list, Item{Probe: string(probeTalk), About: p.about(), Outcome: outcome, TookMS: took.Milliseconds(), Record: t.Record})
	}
	for i := range f.Incoming {
		in := &f.Incoming[i]
		list = append(list, Item{Probe: string(probeIncoming), About: strings.ToUpper(in.Protocol) + " " + in.String(), Outcome: in.Said})
	}
	if f.Grant != nil {
		outcome := "issued"
		if f.Grant.Words != "" {
			outcome = f.Grant.Words
		}
		list = append(list, Item{Probe: string(probeGrant), About: f.Grant.Host, Outcome: outcome})
	}
	if f.Issuer != nil {
		outcome := f.Issuer.Subject
		if f.Issuer.Error != "" {
			outcome = f.Issuer.Error
		}
		list = append(list, Item{Probe: string(probeIssuer), About: f.Issuer.URL, Outcome: outcome})
	}
	return list
}

// minSecret is the length from which a secret is looked for in texts: a shorter one
// is in every text.
const minSecret = 4

// scrub takes secrets out of a text, in clear, and in the forms in which they are
// sent.
func scrub(s string, secrets []string) string {
	for _, secret := range secrets {
		if len(secret) < minSecret {
			continue
		}
		for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret)), quoted(secret)} {
			s = strings.ReplaceAll(s, form, "***")
		}
	}
	return s
}

// scrub takes secrets out of all texts. They were never put in; a server may repeat
// them in words that no recorder foresees.
func (r *Report) scrub(secrets []string) {
	clean := func(s *string) { *s = scrub(*s, secrets) }
	lists := func(l []string) {
		for i := range l {
			clean(&l[i])
		}
	}
	for _, findings := range [][]Finding{r.Findings, r.Warnings} {
		for i := range findings {
			f := &findings[i]
			clean(&f.Title)
			clean(&f.Why)
			lists(f.Seen)
			lists(f.RuledOut)
			lists(f.Do)
		}
	}
	lists(r.Untested)
	for i := range r.Steps {
		lists(r.Steps[i].Seen)
	}
	lists(r.Origin)
	for i := range r.Evidence {
		clean(&r.Evidence[i].Outcome)
		record := r.Evidence[i].Record
		if record == nil {
			continue
		}
		clean(&record.Greeting)
		lists(record.Extensions)
		for k := range record.Lines {
			clean(&record.Lines[k].Text)
		}
		if record.Failure != nil {
			clean(&record.Failure.Error)
			if record.Failure.Reply != nil {
				lists(record.Failure.Reply.Lines)
			}
		}
	}
}
