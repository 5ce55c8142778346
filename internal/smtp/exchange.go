package smtp

import "context"

// Exchange is the server's side of one login by a SASL mechanism, without the wire:
// messages come and go as they are before base64. RFC 4422, 4954.
type Exchange interface {
	// Next takes the client's message, nil when it has said nothing yet, and returns
	// how the login goes on.
	Next(ctx context.Context, response []byte) LoginStep
}

// LoginStep is a challenge, or the end of a login. It is the end when Account or
// Refusal is set. A refusal with a challenge gives its reason in it: the client answers
// that somehow, and is refused. RFC 7628 §3.2.3.
type LoginStep struct {
	Challenge []byte
	Account   string // the login is good: the account to send as
	Refusal   *Reply // it is not
}
