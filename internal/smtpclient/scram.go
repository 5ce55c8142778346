package smtpclient

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/emersion/go-sasl"
	"github.com/xdg-go/scram"
)

// maxIterations bounds the work that a server can ask of us, in rounds of PBKDF2:
// some two seconds.
const maxIterations = 2_000_000

// scramMechanism is the client of SCRAM, with or without channel binding. RFC 5802,
// 7677.
type scramMechanism struct {
	name  string
	talk  *scram.ClientConversation
	err   error // user name or password cannot be used
	steps int
}

// Start returns client-first-message.
func (m *scramMechanism) Start() (string, []byte, error) {
	if m.err != nil {
		return m.name, nil, m.err
	}
	first, err := m.talk.Step("")
	return m.name, []byte(first), err
}

// Next answers server-first-message with the proof, and server-final-message with
// nothing, once the server has proved that it knows us too.
func (m *scramMechanism) Next(challenge []byte) ([]byte, error) {
	m.steps++
	switch {
	case m.steps > 2:
		return nil, sasl.ErrUnexpectedServerChallenge
	case m.steps == 1:
		if n, ok := iterations(string(challenge)); ok && n > maxIterations {
			return nil, fmt.Errorf("the server asks for %d iterations, which is more than %d", n, maxIterations)
		}
	}
	answer, err := m.talk.Step(string(challenge))
	if err != nil {
		return nil, err
	}
	return []byte(answer), nil
}

// iterations returns the iteration count of a server-first-message.
func iterations(message string) (int, bool) {
	for _, f := range strings.Split(message, ",") {
		if n, ok := strings.CutPrefix(f, "i="); ok {
			v, err := strconv.Atoi(n)
			return v, err == nil
		}
	}
	return 0, false
}

var errNotProved = errors.New("the server has accepted the login without proving that it knows the password, so it is not the server it says")

// proved reports whether the server has done its part. RFC 5802 §5: without it the
// client must not go on.
func (m *scramMechanism) proved() bool { return m.talk.Valid() }

// scramMechanisms returns the variants of SCRAM, the best first. Those with channel
// binding are there once for each kind of binding that the connection has, as a
// server need not know all. offers tells what the server offers.
func scramMechanisms(cred Credentials, state *tls.ConnectionState, offers func(string) bool) []sasl.Client {
	hashes := []struct {
		name string
		new  scram.HashGeneratorFcn
	}{{"SCRAM-SHA-256", scram.SHA256}, {"SCRAM-SHA-1", scram.SHA1}}
	var bound, free []sasl.Client
	for _, h := range hashes {
		c, err := h.new.NewClient(cred.User, cred.Password, "")
		if err != nil {
			continue // SASLprep forbids it; RFC 5802 §2.2
		}
		for _, b := range bindings(state) {
			if h.name == "SCRAM-SHA-1" && offers("SCRAM-SHA-256-PLUS") {
				break // a server that does not know our binding would refuse it here too, and may count refusals
			}
			bound = append(bound, &scramMechanism{name: h.name + "-PLUS", talk: c.NewConversationWithChannelBinding(b)})
		}
		talk := c.NewConversation()
		if len(bindings(state)) > 0 && !offers(h.name+"-PLUS") {
			// "y": we could bind, and nobody has offered it. A server that did will notice
			// that somebody took it out. RFC 5802 §6.
			talk = c.NewConversationAdvertisingChannelBinding()
		}
		free = append(free, &scramMechanism{name: h.name, talk: talk})
	}
	return append(bound, free...)
}

// bindings returns what can bind a login to this connection, the best first.
func bindings(state *tls.ConnectionState) []scram.ChannelBinding {
	if state == nil {
		return nil
	}
	var all []scram.ChannelBinding
	switch {
	case state.Version >= tls.VersionTLS13:
		if b, err := scram.NewTLSExporterBinding(state); err == nil { // RFC 9266
			all = append(all, b)
		}
	case len(state.TLSUnique) > 0:
		all = append(all, scram.NewTLSUniqueBinding(state.TLSUnique)) // RFC 5929 §3
	}
	if b, err := scram.NewTLSServerEndpointBinding(state); err == nil { // RFC 5929 §4
		all = append(all, b)
	}
	return all
}
