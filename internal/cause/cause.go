package cause

// ID is the stable name of a cause, such as "tls.certificate-expired". The empty
// ID means that no cause is known.
type ID string

// Family is the part of an id before its dot: "tls".
func (id ID) Family() string {
	for i := 0; i < len(id); i++ {
		if id[i] == '.' {
			return string(id[:i])
		}
	}
	return string(id)
}

// Actor is who must act to end a cause.
type Actor string

// The actors, as `explain --json` prints them.
const (
	ActorUser           Actor = "user"            // the person sending, in their own settings or message
	ActorSenderAdmin    Actor = "sender-admin"    // whoever runs the sending program, server, domain or tenant
	ActorProvider       Actor = "provider"        // the operator of the server that replied
	ActorRecipient      Actor = "recipient"       // the person written to
	ActorRecipientAdmin Actor = "recipient-admin" // the admin of the recipient's server
	ActorNetworkAdmin   Actor = "network-admin"   // whoever runs the network or machine between
)

// Actors returns all actors, the nearest to the sender first.
func Actors() []Actor {
	return []Actor{ActorUser, ActorSenderAdmin, ActorNetworkAdmin, ActorProvider, ActorRecipient, ActorRecipientAdmin}
}

// Sends reports whether a is on the side that sends, and so the one who reads
// what Wellsent says.
func (a Actor) Sends() bool { return a == ActorUser || a == ActorSenderAdmin }

// Name says in words who a is; "" for one that is not known.
func (a Actor) Name() string {
	switch a {
	case ActorUser:
		return "you"
	case ActorSenderAdmin:
		return "whoever runs the sending server, domain or account"
	case ActorProvider:
		return "the operator of the server that replied"
	case ActorRecipient:
		return "the person written to"
	case ActorRecipientAdmin:
		return "whoever runs the recipient's server"
	case ActorNetworkAdmin:
		return "whoever runs the network or this machine"
	}
	return ""
}

// Retry says whether sending the same message again, unchanged, can help.
type Retry string

// The values of Retry.
const (
	RetryNo    Retry = "no"    // it will fail again until somebody changes something
	RetryLater Retry = "later" // it may succeed after a wait
	RetryYes   Retry = "yes"   // it may succeed at once
)
