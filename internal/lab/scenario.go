package lab

import (
	"crypto/tls"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
)

// Scenario is one failure as a server shows it. It is a value; the list of them
// does not change.
type Scenario struct {
	ID       string         `json:"id"`       // the cause, or "cause/variant"
	Cause    cause.ID       `json:"cause"`    // the root; "" where nothing fails
	Words    []cause.ID     `json:"words"`    // what a client's error alone may be taken for beside Cause: probes tell more than words
	Title    string         `json:"title"`    // a clause, without a full stop
	Shows    string         `json:"shows"`    // what a client meets
	Stage    evidence.Stage `json:"stage"`    // where it shows
	Persona  string         `json:"persona"`  // whose manners it has, unless another is asked for
	Source   string         `json:"source"`   // whose words or behaviour; "" where it is the protocol's
	Harmless bool           `json:"harmless"` // a patient or lenient client gets its mail through
	Port     int            `json:"port"`     // the port that makes it what it is; 0: any

	b behaviour
}

// behaviour is how a server departs from a good one.
type behaviour struct {
	acts map[step]act

	implicit   bool          // TLS at once
	noStartTLS bool          // STARTTLS is not offered
	masked     bool          // what is offered is masked on the way
	mechanisms string        // what AUTH offers; "": the persona's
	noAuth     bool          // AUTH is not offered
	asciiOnly  bool          // SMTPUTF8 is not offered
	clearAuth  bool          // AUTH is offered without TLS too
	maxBytes   int64         // what SIZE says and is kept to; 0: the persona's
	slow       time.Duration // before each reply
	cert       certKind      //
	tls        func(*tls.Config)
	closed     bool                // nothing listens
	foreign    func(*conversation) // another protocol altogether
	told       func(*Settings)     // what a client is told in place of what is right
	limits     Limits              // what the account may do
}

// step is a place in the conversation.
type step string

const (
	stepGreeting step = "greeting"
	stepEHLO     step = "EHLO"
	stepHELO     step = "HELO"
	stepSTARTTLS step = "STARTTLS"
	stepAuth     step = "AUTH"  // the command; no credentials have been sent
	stepLogin    step = "login" // the credentials are known
	stepMail     step = "MAIL"
	stepRcpt     step = "RCPT"
	stepData     step = "DATA"
	stepContent  step = "content" // the first octets of the content are in
	stepDot      step = "final dot"
)

// act is what is done at a step in place of the good reply.
type act struct {
	say       string        // the reply, lines parted by \n; "": the good one, or none when then ends it
	challenge string        // say this first and read one line; for the error challenges of OAuth
	wait      time.Duration // before anything is said
	then      after
	when      func(*conversation) bool // nil: always
}

// after is what follows a reply.
type after int

const (
	goOn   after = iota
	hangUp       // the connection is closed in order
	reset        // the connection is reset
	silent       // nothing is said any more; the connection stays
)

// The conditions of acts.
func inClearText(c *conversation) bool { return !c.secure }
func signedOut(c *conversation) bool   { return c.user == "" }
func bareUser(c *conversation) bool    { return !strings.Contains(c.triedUser, "@") }
func byToken(c *conversation) bool {
	return strings.HasPrefix(c.mechanism, "XOAUTH") || c.mechanism == "OAUTHBEARER"
}

var catalogue = sync.OnceValue(func() []Scenario {
	var all []Scenario
	for _, family := range [][]Scenario{good, connecting, foreign, securing, signingIn, oauth, senders, recipients, messages, limits, servers} {
		all = append(all, family...)
	}
	seen := map[string]bool{}
	for i := range all {
		s := &all[i]
		if s.ID == "" {
			s.ID = string(s.Cause)
		}
		if s.Persona == "" {
			s.Persona = "postfix"
		}
		if s.Words == nil {
			s.Words = []cause.ID{}
		}
		if seen[s.ID] {
			panic(fmt.Sprintf("lab: %s stands twice", s.ID))
		}
		seen[s.ID] = true
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].ID < all[j].ID })
	return all
})

// Scenarios returns all scenarios by id.
func Scenarios() []Scenario { return append([]Scenario(nil), catalogue()...) }

// Find returns the scenario of an id. A cause that has only variants is known by
// the first of them.
func Find(id string) (Scenario, bool) {
	id = strings.ToLower(strings.TrimSpace(id))
	for _, s := range catalogue() {
		if s.ID == id {
			return s, true
		}
	}
	for _, s := range catalogue() {
		if id != "" && string(s.Cause) == id {
			return s, true
		}
	}
	return Scenario{}, false
}
