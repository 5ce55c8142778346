package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"strings"

	"github.com/xdg-go/scram"
)

// scramExchange is the server of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS. RFC 5802,
// 7677.
type scramExchange struct {
	a    *Accounts
	p    Peer
	plus bool

	talk    *scram.ServerConversation // nil: the client has not begun
	account *Account                  // nil: none of that name
	name    string                    // canonical
	refusal error                     // why the look-up ended it
	proved  bool                      // the client has proved itself; its last word follows
	nonce   func() string             // nil: random
}

// User implements Exchange.
func (e *scramExchange) User() string { return e.name }

// Next takes client-first, client-final and the empty answer to server-final.
func (e *scramExchange) Next(_ context.Context, response []byte) ([]byte, *Account, error) {
	switch {
	case response == nil:
		return []byte{}, nil, nil
	case e.proved:
		return nil, e.account, nil
	case e.talk == nil:
		return e.first(string(response))
	}
	// Asked again: in the meantime others may have failed that began when this one did.
	if err := e.a.slowed(e.name, e.p.Addr); err != nil {
		return nil, nil, err
	}
	final, err := e.talk.Step(string(response))
	// Without an account the keys are made up, and no password has them.
	right := err == nil && e.talk.Valid() && e.account != nil && e.account.SCRAM != ""
	e.a.count(e.name, e.p.Addr, right)
	if !right {
		return nil, nil, fmt.Errorf("%w: %s", ErrInvalid, orWord(err, "no such account, or one without SCRAM keys"))
	}
	e.proved = true
	return []byte(final), nil, nil
}

// orWord returns what err says, or word.
func orWord(err error, word string) string {
	if err != nil {
		return err.Error()
	}
	return word
}

// first answers client-first-message with salt and iteration count.
func (e *scramExchange) first(message string) ([]byte, *Account, error) {
	flag, _, _ := strings.Cut(message, ",")
	kind, bound := strings.CutPrefix(flag, "p=")
	if bound != e.plus {
		return nil, nil, fmt.Errorf("%w: channel binding is for SCRAM-SHA-256-PLUS, and for that alone", ErrMalformed)
	}
	server, err := scram.SHA256.NewServer(e.keys)
	if err != nil {
		return nil, nil, err
	}
	if e.nonce != nil {
		server = server.WithNonceGenerator(e.nonce)
	}
	switch binding := e.binding(kind); {
	case e.plus && !binding.IsSupported():
		return nil, nil, fmt.Errorf("%w: the channel binding %q cannot be had on this connection", ErrInvalid, clip(kind))
	case e.plus:
		e.talk = server.NewConversationWithChannelBindingRequired(binding)
	case e.p.PlusOffered:
		// A client that can bind and was not offered it says "y": then somebody between
		// has taken the offer out. RFC 5802 §6. Which kind of binding stands here is no
		// matter, as it is not used.
		e.talk = server.NewConversationWithChannelBinding(e.binding(string(scram.ChannelBindingTLSExporter)))
	default:
		e.talk = server.NewConversation()
	}
	answer, err := e.talk.Step(message)
	switch {
	case e.refusal != nil:
		return nil, nil, e.refusal
	case err != nil && strings.HasPrefix(answer, "e="):
		return nil, nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	case err != nil:
		return nil, nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	case e.talk.AuthzID() != "" && Canonical(unescapeName(e.talk.AuthzID())) != e.name:
		return nil, nil, fmt.Errorf("%w: logging in for somebody else is not possible", ErrInvalid)
	}
	return []byte(answer), nil, nil
}

// keys looks up what is kept for a name. For one that is not known, or has none,
// keys are made up that are the same each time, so that nobody can tell.
func (e *scramExchange) keys(name string) (scram.StoredCredentials, error) {
	var none scram.StoredCredentials
	if len(name) > maxName {
		e.refusal = ErrInvalid
		return none, ErrInvalid
	}
	name = unescapeName(name)
	e.name = Canonical(name)
	if e.refusal = e.a.slowed(e.name, e.p.Addr); e.refusal != nil {
		return none, e.refusal
	}
	if e.account, e.refusal = e.a.Lookup(name); e.refusal != nil {
		return none, e.refusal
	}
	model, err := e.a.scramModel()
	if err != nil {
		e.refusal = err
		return none, err
	}
	if e.account != nil && e.account.SCRAM != "" {
		keys, err := parseSCRAM(e.account.SCRAM)
		if err != nil {
			e.refusal = fmt.Errorf("account %s: %w", e.account.Name, err)
		}
		return keys, e.refusal
	}
	secret, err := e.a.namingSecret()
	if err != nil {
		e.refusal = err
		return none, err
	}
	part := func(what string) []byte {
		h := hmac.New(sha256.New, secret)
		h.Write([]byte(what + "\x00" + e.name))
		return h.Sum(nil)
	}
	return scram.StoredCredentials{StoredKey: part("stored"), ServerKey: part("server"),
		KeyFactors: scram.KeyFactors{Salt: string(part("salt")[:min(len(model.Salt), sha256.Size)]), Iters: model.Iters}}, nil
}

// binding returns what binds the login to this connection, in the way the client
// asks for; none where this connection does not have it.
func (e *scramExchange) binding(kind string) scram.ChannelBinding {
	var none scram.ChannelBinding
	if e.p.TLS == nil {
		return none
	}
	switch scram.ChannelBindingType(kind) {
	case scram.ChannelBindingTLSExporter: // RFC 9266
		if b, err := scram.NewTLSExporterBinding(e.p.TLS); err == nil {
			return b
		}
	case scram.ChannelBindingTLSServerEndpoint: // RFC 5929 §4
		cert, err := x509.ParseCertificate(e.p.Certificate)
		if err != nil {
			return none
		}
		shown := *e.p.TLS
		shown.PeerCertificates = []*x509.Certificate{cert} // what the client has seen of us
		if b, err := scram.NewTLSServerEndpointBinding(&shown); err == nil {
			return b
		}
	case scram.ChannelBindingTLSUnique: // RFC 5929 §3; there is none in TLS 1.3
		if len(e.p.TLS.TLSUnique) > 0 {
			return scram.NewTLSUniqueBinding(e.p.TLS.TLSUnique)
		}
	}
	return none
}

// clip bounds what a client can write into our log.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64]
	}
	return s
}
