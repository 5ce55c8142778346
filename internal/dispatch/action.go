package dispatch

import (
	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/deliver"
	"github.com/wellsent/wellsent/internal/evidence"
)

// Action is what the outcome of an attempt leads to.
type Action string

// The actions.
const (
	ActDeliver    Action = "deliver"     // it is delivered
	ActDefer      Action = "defer"       // this recipient is tried again by the timetable
	ActFail       Action = "fail"        // this recipient has failed; the sender is told
	ActUncertain  Action = "uncertain"   // it may have been delivered; tried again, may be sent twice
	ActHoldSender Action = "hold-sender" // this message is held: its sender may not send by this route
	ActThrottle   Action = "throttle"    // the lane goes slower; no attempt is counted
	ActDown       Action = "down"        // the lane is down: nothing was said about the message; no attempt is counted
	ActPause      Action = "pause"       // the lane is paused, for the fault is ours; no attempt is counted
)

// facts are what decides an action.
type facts struct {
	status    deliver.Status
	stage     evidence.Stage
	origin    evidence.Origin
	scope     evidence.Scope
	cause     cause.ID
	code      int  // of the reply; 0: there was none
	smartHost bool // the next hop is a smart host, with our credentials and our settings
	proven    bool // the lane has delivered something by the present settings
	asRoute   bool // it was sent as the route's own mailbox, whoever the sender is
}

// decide is the table of actions. It is a ladder: each rung a reason, the last
// the safe answer. Other addresses, hosts and vias come before it: they are
// deliver's business.
func decide(f facts) Action {
	switch {
	case f.status == deliver.Delivered:
		return ActDeliver
	case f.status == deliver.Uncertain:
		return ActUncertain // the line died after the final dot
	case throttled(f):
		return ActThrottle
	case f.smartHost && ourFault(f):
		return ActPause
	case f.smartHost && sendersFault(f) && f.asRoute && !f.proven:
		return ActPause // no sender has a part in it. Of a route that has worked it is about this message
	case f.smartHost && sendersFault(f):
		return ActHoldSender
	case beforeMail(f.stage) && aboutNextHop(f.scope):
		return ActDown // nothing was said about the message. RFC 5321 §5.1
	case f.status == deliver.Failed:
		return ActFail
	}
	return ActDefer // a 4yz reply, a line that died before the final dot, or something unheard of
}

// aboutNextHop reports a scope that says nothing about a message.
func aboutNextHop(s evidence.Scope) bool {
	return s == evidence.ScopeRoute || s == evidence.ScopeHost || s == evidence.ScopeConnection
}

// beforeMail reports a stage that no mail transaction has reached.
func beforeMail(s evidence.Stage) bool {
	switch s {
	case evidence.StageResolve, evidence.StageConnect, evidence.StageTLS, evidence.StageGreeting,
		evidence.StageEHLO, evidence.StageStartTLS, evidence.StageAuth, evidence.StageClient:
		return true
	}
	return false
}

// throttled reports that the other side wants less from us for now. A foreign
// server's 5yz is its last word on the message whatever the words; a smart host's
// is about our allowance, which no sender can help.
func throttled(f facts) bool {
	if f.code >= 500 && !f.smartHost || f.stage == evidence.StageAuth {
		return false
	}
	switch f.cause {
	case "limit.rate", "limit.connections":
		return true
	case "limit.quota":
		return f.stage != evidence.StageMail || f.asRoute // at MAIL it is one sender's
	}
	return false
}

// ourFault reports that nothing can go by this route until the operator, or a
// clock, has changed something: bouncing it would punish its senders.
func ourFault(f facts) bool {
	switch f.stage {
	case evidence.StageAuth:
		// A login must not be tried again by the ordinary timetable: a few wrong ones
		// and the provider locks the account. What broke on the way is an outage.
		return f.scope == evidence.ScopeRoute ||
			f.origin == evidence.OriginRemote && f.cause.Family() == "auth" && f.cause != "auth.server-failure"
	case evidence.StageMail, evidence.StageRcpt, evidence.StageData, evidence.StagePostData:
		return routeRefused(f)
	case evidence.StageTLS, evidence.StageStartTLS:
		return f.scope == evidence.ScopeRoute || lastingTLS(f.cause)
	}
	return f.scope == evidence.ScopeRoute // a password file that cannot be read, a setting that makes no sense
}

// lastingTLS reports a cause of the handshake that stays until somebody acts. A
// handshake that the network broke is not one.
func lastingTLS(id cause.ID) bool {
	switch id {
	case "tls.server-unavailable", "tls.handshake-failed", "tls.delivery-policy":
		return false
	}
	return id.Family() == "tls"
}

// routeRefused reports that a mail transaction was refused for what we are, not
// for what was sent.
func routeRefused(f facts) bool {
	if aboutNextHop(f.scope) {
		return false // a connection that died, or 421
	}
	switch f.cause {
	case "tls.required", "relay.tenant-attribution", "account.sending-disabled":
		return true
	case "relay.denied":
		// Of a route that has worked it is about this recipient; one that never has
		// would be refused everything.
		return f.code >= 500 && !f.proven
	}
	return f.cause.Family() == "auth" || f.cause.Family() == "tenant"
}

// sendersFault reports that this sender may not send by this route; others may.
func sendersFault(f facts) bool {
	switch f.cause {
	case "limit.quota":
		return f.stage == evidence.StageMail
	case "sender.send-as-denied", "sender.address-not-owned", "sender.not-verified", "account.restricted-spam":
		return f.code >= 500 // some say so only after the final dot
	}
	return f.stage == evidence.StageMail && f.code >= 500 && (f.cause.Family() == "sender" || f.scope == evidence.ScopeSender)
}
