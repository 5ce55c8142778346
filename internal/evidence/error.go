package evidence

import (
	"errors"
	"fmt"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/smtp"
)

// Stage is a place in the protocol at which something showed.
type Stage string

// The stages of one conversation, in protocol order, and the two that are not
// part of one.
const (
	StageResolve  Stage = "resolve"   // looking up the server's name
	StageConnect  Stage = "connect"   // opening the connection
	StageTLS      Stage = "tls"       // the TLS handshake and the certificate
	StageGreeting Stage = "greeting"  // the server's first reply
	StageEHLO     Stage = "ehlo"      // EHLO or HELO
	StageStartTLS Stage = "starttls"  // the STARTTLS command
	StageAuth     Stage = "auth"      // AUTH
	StageMail     Stage = "mail"      // MAIL
	StageRcpt     Stage = "rcpt"      // RCPT
	StageData     Stage = "data"      // DATA, BDAT and the content
	StagePostData Stage = "post-data" // the reply to the final dot
	StageBounce   Stage = "bounce"    // a report or another server's log
	StageClient   Stage = "client"    // a message of the client program itself
)

// Origin is who says that something failed.
type Origin string

// The origins of a failure.
const (
	OriginLocal   Origin = "local"   // we decided it
	OriginRemote  Origin = "remote"  // the server replied it
	OriginNetwork Origin = "network" // the network, the resolver or TLS
)

// Scope is what a failure condemns.
type Scope string

// The scopes, widest first.
const (
	ScopeRoute      Scope = "route"      // every host of the route: our credentials, our settings
	ScopeHost       Scope = "host"       // this host; another one may do
	ScopeConnection Scope = "connection" // this connection; another one to the same host may do
	ScopeSender     Scope = "sender"     // this sender on this route
	ScopeMessage    Scope = "message"    // this message, for all its recipients
	ScopeRecipient  Scope = "recipient"  // one recipient
)

// Error is a failure with its place in the protocol. Whether it is temporary
// follows from Reply.Code and is recorded nowhere else.
type Error struct {
	Reply  smtp.Reply // what we answer, or what the server answered, unaltered; zero when there was none
	Origin Origin     // who says so
	Stage  Stage      // where
	Scope  Scope      // what it condemns
	Host   string     // the server's name, "" if there was none yet
	Cause  cause.ID   // "" until package explain has named it
	Err    error      // the underlying error, if any
}

// Error returns stage, host and reply or underlying error in one line.
func (e *Error) Error() string {
	what := e.Reply.String()
	if what == "" && e.Err != nil {
		what = e.Err.Error()
	}
	if e.Host != "" {
		return fmt.Sprintf("%s: %s: %s", e.Stage, e.Host, what)
	}
	return fmt.Sprintf("%s: %s", e.Stage, what)
}

// Unwrap returns the underlying error.
func (e *Error) Unwrap() error { return e.Err }

// As returns the first *Error in err's chain, or nil.
func As(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}
