package deliver

import (
	"context"
	"errors"
	"time"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/smtpclient"
)

// attempt is one call of Send in progress.
type attempt struct {
	c        *conversation
	r        *Request
	outcomes []Outcome
	left     []int // positions in outcomes of the recipients to be served, in order
	hosts    []host
	asked    int             // of hosts
	known    []failure       // of hosts, of earlier attempts
	failures []failure       // of hosts
	few      int             // recipients that one request may have; 0: no bound
	wait     time.Duration   // how long a host asks to be left alone
	notices  []string        // what the operator should know although the mail went
	said     bool            // something was said about the message
	begun    int             // mail transactions
	trouble  *evidence.Error // the last failure of a connection, host or route
	notes    []string        // what else is worth knowing
}

func newAttempt(c *conversation, r *Request) *attempt {
	n := len(r.Message.Recipients)
	a := &attempt{c: c, r: r, outcomes: make([]Outcome, n), left: make([]int, n)}
	for i := range r.Message.Recipients {
		a.outcomes[i].Index = r.Message.Recipients[i].Index
		a.left[i] = i
	}
	return a
}

// transact makes one mail transaction with recipients that are left. It reports
// whether another one may serve those that are left then.
func (c *conversation) transact(ctx context.Context, a *attempt) bool {
	if c.api != nil {
		return c.hand(ctx, a)
	}
	batch := a.left
	if n := c.client.Extensions().MaxRcpt; n > 0 && len(batch) > n {
		batch = batch[:n]
	}
	if a.begun > 0 && a.r.Again != nil && !a.r.Again(len(batch)) {
		a.holdBack()
		return false
	}
	a.begun++
	m, release, err := c.prepare(a, batch)
	if err != nil {
		a.giveUp(err)
		return false
	}
	answer := c.client.Send(ctx, m)
	release()
	if stale(c.client, answer) {
		// The server had closed the connection while it waited for us. That is no
		// attempt: a new connection is opened, which cannot be stale.
		c.client.Close()
		return true
	}
	a.said = true
	a.take(batch, answer)
	if n := c.client.Extensions().MaxMail; n > 0 && c.client.Sent() >= n {
		c.client.Close()
	}
	return len(a.left) > 0
}

// stale reports that a connection which had served before was closed before this
// transaction began.
func stale(client *smtpclient.Client, answer *smtpclient.Answer) bool {
	if client.Sent() < 2 || answer.Err == nil || errors.Is(answer.Err, smtpclient.ErrGivenUp) {
		return false
	}
	return !answer.Answered && answer.Err.Origin == evidence.OriginNetwork ||
		answer.Err.Stage == evidence.StageMail && answer.Err.Reply.Code == 421 // RFC 5321 §3.8: said to nobody before we came
}

// take turns an answer into outcomes. Recipients that another transaction may
// serve stay left.
func (a *attempt) take(batch []int, answer *smtpclient.Answer) {
	c := a.c
	again := batch[:0:0]
	served := false // the transaction brought the message to somebody
	for i := range batch {
		served = served || answer.Refused[i] == nil && answer.Err == nil
	}
	retry := a.judge(answer)
	for i, pos := range batch {
		err := answer.Refused[i]
		about := err == nil // what became of the message is what became of this recipient
		if about {
			err = answer.Err
		}
		switch {
		case !about && served && tooManyRecipients(err):
			again = append(again, pos) // progress was made, so this ends
		case err != nil && retry && (about || aboutNextHop(err.Scope)):
			again = append(again, pos)
		}
		o := &a.outcomes[pos]
		o.Err, o.Host = err, a.hostName()
		o.Status = statusOf(err, about && answer.Uncertain())
		o.Reply = answer.Reply
		if err != nil {
			o.Reply = err.Reply
		}
		o.Relayed = err == nil && !c.offersDSN()
	}
	switch {
	case answer.Err != nil && aboutNextHop(answer.Err.Scope):
		a.trouble = answer.Err
	case answer.Err == nil || answer.Err.Origin == evidence.OriginRemote:
		a.trouble = nil // of those who were asked before; this one serves
		a.notices = c.d.standIns.serves(c, a.failures)
	}
	a.left = append(again, a.left[len(batch):]...)
	if retry {
		c.leave() // where the connection stands, the host would say the same again
	}
	if answer.Err != nil && !retry && len(a.left) > len(again) {
		// The rest of a message in several transactions meets the same refusal.
		a.fail(a.left[len(again):], answer.Err)
		a.left = again
	}
}

// hostName returns the server spoken to, with its address.
func (a *attempt) hostName() string {
	if addr := a.c.speaker().Address(); addr != "" && !a.c.byName() {
		return a.c.host.name + " [" + addr + "]"
	}
	return a.c.host.name
}

// giveUp ends the attempt for the recipients that are left.
func (a *attempt) giveUp(err *evidence.Error) {
	if errors.Is(err, errNoHostLeft) && a.trouble != nil {
		a.left = nil // each has the outcome of the last transaction
		return
	}
	switch err.Scope {
	case evidence.ScopeConnection, evidence.ScopeHost, evidence.ScopeRoute:
		if a.trouble == nil || tells(err) > tells(a.trouble) {
			a.trouble = err
		}
	default:
		a.said = true // a definite answer about the recipients
	}
	a.fail(a.left, err)
	a.left = nil
}

// holdBack leaves those that are left for another time. What a host that failed
// before this one did to them stands.
func (a *attempt) holdBack() {
	if a.trouble != nil {
		a.fail(a.left, a.trouble)
		a.left = nil
		return
	}
	for _, pos := range a.left {
		o := &a.outcomes[pos]
		o.Err = &evidence.Error{Origin: evidence.OriginLocal, Stage: evidence.StageClient, Scope: evidence.ScopeMessage, Err: ErrHeldBack}
		o.Reply, o.Host, o.Status = smtp.Reply{}, "", Deferred
	}
	a.left = nil
}

// fail gives recipients an outcome where an earlier transaction has not given
// them a better one.
func (a *attempt) fail(positions []int, err *evidence.Error) {
	for _, pos := range positions {
		o := &a.outcomes[pos]
		if o.Err != nil && tells(o.Err) > tells(err) {
			continue
		}
		o.Err, o.Reply, o.Host, o.Status = err, err.Reply, err.Host, statusOf(err, false)
	}
}

// admit gives those who were not served a refused login as the reason, where there
// was one: it must not be tried again as soon as an outage would be, whoever was
// asked after it.
func (a *attempt) admit() {
	refused := a.refusedLogin()
	if refused == nil || a.trouble == nil {
		return
	}
	a.trouble = refused
	for i := range a.outcomes {
		if o := &a.outcomes[i]; o.Err != nil && o.Status == Deferred && aboutNextHop(o.Err.Scope) {
			o.Err, o.Reply, o.Host = refused, refused.Reply, refused.Host
		}
	}
}

// result returns the Result, with every failure named.
func (a *attempt) result(ctx context.Context) *Result {
	a.admit()
	res := &Result{Outcomes: a.outcomes, Attempted: a.said, Trouble: a.trouble, Transactions: a.begun, RetryAfter: max(a.wait, retryAfter(a.trouble)), Notices: a.notices}
	well := a.trouble == nil && len(a.notes) == 0
	for i := range res.Outcomes {
		o := &res.Outcomes[i]
		if o.Err == nil {
			if o.Status == "" { // cannot be: every recipient was served or has failed
				o.Err = &evidence.Error{Reply: smtp.NewReply(451, 3, 0, "not tried"), Origin: evidence.OriginLocal, Stage: evidence.StageClient, Scope: evidence.ScopeMessage}
				o.Status = Deferred
			}
			continue
		}
		if errors.Is(o.Err, ErrHeldBack) {
			continue
		}
		well = false
		o.Finding = a.c.explain(o.Err, &a.r.Message.Recipients[i], a.r.Message)
		res.RetryAfter = max(res.RetryAfter, retryAfter(o.Err))
	}
	if a.trouble != nil {
		res.Finding = a.c.explain(a.trouble, nil, a.r.Message)
	}
	if speaker := a.c.speaker(); !well && speaker != nil {
		failure := a.trouble
		if failure == nil {
			failure = firstFailure(res.Outcomes)
		}
		res.Record = speaker.Record(failure)
		res.Record.Notes = append(res.Record.Notes, a.notes...)
	}
	return res
}

// retryAfter returns when a server wants to be asked again, as far as it said so.
func retryAfter(err *evidence.Error) time.Duration {
	if err == nil || err.Origin != evidence.OriginRemote {
		return 0
	}
	return explain.RetryAfter(err.Reply.Text())
}

func firstFailure(outcomes []Outcome) *evidence.Error {
	for i := range outcomes {
		if outcomes[i].Err != nil {
			return outcomes[i].Err
		}
	}
	return nil
}
