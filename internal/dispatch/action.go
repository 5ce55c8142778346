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
	ActThrottle   Action = "throttle"    // the lane goes slower; tried again soon, and no attempt is counted
	ActDown       Action = "down"        // the lane is down; tried again by the timetable
	ActPause      Action = "pause"       // the lane is paused: the fault is ours; no attempt is counted
)

// facts are what decides an action.
type facts struct {
	status    deliver.Status
	stage     evidence.Stage
	origin    evidence.Origin
	cause     cause.ID
	code      int  // of the reply; 0: there was none
	smartHost bool // the next hop is a smart host, with our credentials and our settings
}

// decide is the table of actions. It is a ladder: each rung a reason, the last
// the safe answer.
func decide(f facts) Action {
	switch {
	case f.status == deliver.Delivered:
		return ActDeliver
	case f.status == deliver.Uncertain:
		return ActUncertain
	case permanentByName[f.cause]:
		return ActFail // the domain says it takes no mail, or is not there: as good as a 550
	case throttled(f):
		return ActThrottle
	case f.smartHost && ourFault(f):
		return ActPause
	case f.smartHost && sendersFault(f):
		return ActHoldSender
	case beforeMail(f.stage):
		return ActDown // nothing was said about the message; deliver has tried every other host. RFC 5321 §5.1
	case f.status == deliver.Failed:
		return ActFail
	}
	return ActDefer
}

// permanentByName are failures without a reply that no later attempt mends.
var permanentByName = map[cause.ID]bool{
	"recipient.domain-not-found":   true,
	"recipient.null-mx":            true,
	"message.smtputf8-unsupported": true,
	"routing.loop":                 true,
}

// throttled reports that the other side wants less from us for now.
func throttled(f facts) bool {
	if f.code >= 500 {
		return false
	}
	switch f.cause {
	case "limit.rate", "limit.connections":
		return true
	case "limit.quota":
		return f.stage != evidence.StageMail // at MAIL it is one sender's
	}
	return false
}

// ourFault reports that no message can go by this route until the operator, or a
// clock, has changed something: bouncing them would punish their senders.
func ourFault(f facts) bool {
	switch f.stage {
	case evidence.StageAuth:
		return true
	case evidence.StageTLS, evidence.StageStartTLS:
		// A handshake that the network broke is an outage like another.
		return f.cause.Family() == "tls" && f.cause != "tls.server-unavailable"
	case evidence.StageMail, evidence.StageRcpt, evidence.StageData, evidence.StagePostData:
		switch f.cause {
		case "auth.required", "relay.denied", "tls.required":
			return true
		}
		return f.cause.Family() == "auth" || f.cause.Family() == "tenant" || f.cause == "account.sending-disabled" || f.cause == "account.restricted-spam"
	case evidence.StageClient, evidence.StageConnect, evidence.StageResolve:
		return f.origin == evidence.OriginLocal // a password file that cannot be read, a setting that makes no sense
	}
	return false
}

// sendersFault reports that this sender may not send by this route; others may.
func sendersFault(f facts) bool {
	switch f.cause {
	case "sender.send-as-denied", "sender.address-not-owned", "sender.not-verified", "sender.blocked":
		return f.code >= 500
	case "limit.quota":
		return f.stage == evidence.StageMail
	}
	return f.stage == evidence.StageMail && f.code >= 500 && f.cause.Family() == "sender"
}

// beforeMail reports a stage at which nothing is said about a message.
func beforeMail(s evidence.Stage) bool {
	switch s {
	case evidence.StageResolve, evidence.StageConnect, evidence.StageTLS, evidence.StageGreeting,
		evidence.StageEHLO, evidence.StageStartTLS, evidence.StageAuth:
		return true
	}
	return false
}
