package smtpclient

import (
	"crypto/hmac"
	"crypto/md5" // #nosec: CRAM-MD5 is what some servers still offer alone, and it goes over TLS
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-sasl"
)

// mechanisms returns the SASL clients for the credentials, the best first: those that
// do not give the password away, bound to the connection where that can be had; then
// those that send it, which verified TLS makes safe; then those that only old servers
// need. In clear text the old ones come before those that send it.
func (c *Client) mechanisms(cred Credentials) []sasl.Client {
	var state *tls.ConnectionState
	if t, ok := c.conn.(*tls.Conn); ok {
		cs := t.ConnectionState()
		state = &cs
	}
	var all []sasl.Client
	if state != nil && c.certified {
		all = append(all, external{user: cred.User})
	}
	sent := []sasl.Client{
		sasl.NewPlainClient("", cred.User, cred.Password),
		&login{user: cred.User, password: cred.Password},
	}
	old := []sasl.Client{
		&cramMD5{user: cred.User, password: cred.Password},
		&ntlm{user: cred.User, password: cred.Password, verified: c.tls != nil && c.tls.Verified},
	}
	if state == nil {
		sent, old = old, sent
	}
	switch {
	case cred.Token != "":
		all = []sasl.Client{
			bearer{name: "XOAUTH2", first: fmt.Sprintf("user=%s\x01auth=Bearer %s\x01\x01", cred.User, cred.Token)},
			bearer{name: "OAUTHBEARER", first: fmt.Sprintf("n,a=%s,\x01auth=Bearer %s\x01\x01", gs2(cred.User), cred.Token), last: "\x01"},
		}
	case cred.Password != "" || len(all) == 0:
		all = append(all, scramMechanisms(cred, state, c.ext.offers)...)
		all = append(append(all, sent...), old...)
	}
	if cred.Mechanism == "" {
		return all
	}
	return slices.DeleteFunc(all, func(m sasl.Client) bool { return !strings.EqualFold(nameOf(m), cred.Mechanism) })
}

// Mechanisms are the names that Credentials.Mechanism may have.
var Mechanisms = []string{"PLAIN", "LOGIN", "CRAM-MD5", "NTLM", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS",
	"EXTERNAL", "XOAUTH2", "OAUTHBEARER"}

// names returns the names of mechanisms, each once.
func names(all []sasl.Client) []string {
	var n []string
	for _, m := range all {
		if name := nameOf(m); !slices.Contains(n, name) {
			n = append(n, name)
		}
	}
	return n
}

func nameOf(m sasl.Client) string {
	switch m := m.(type) {
	case *login:
		return "LOGIN"
	case *cramMD5:
		return "CRAM-MD5"
	case *ntlm:
		return "NTLM"
	case external:
		return "EXTERNAL"
	case *scramMechanism:
		return m.name
	case bearer:
		return m.name
	}
	return "PLAIN"
}

// proofAfter returns after how many messages of ours a mechanism has shown the server
// that we know the password, so that what the server says next is about it. EXTERNAL
// never shows it.
func proofAfter(name string) int {
	switch name {
	case "LOGIN", "NTLM":
		return 2
	case "EXTERNAL":
		return maxRounds + 1
	}
	if strings.HasPrefix(name, "SCRAM-") {
		return 2
	}
	return 1
}

// external is the client of EXTERNAL: the certificate that we have shown says who we
// are. RFC 4422 appendix A.
type external struct{ user string }

// Start returns whom we want to act as.
func (e external) Start() (string, []byte, error) { return "EXTERNAL", []byte(e.user), nil }

// Next has nothing to add.
func (e external) Next([]byte) ([]byte, error) { return nil, sasl.ErrUnexpectedServerChallenge }

// gs2 escapes a user name as RFC 5801 §4 asks.
func gs2(s string) string { return strings.NewReplacer("=", "=3D", ",", "=2C").Replace(s) }

// ChallengeError is what a server said in a challenge before it refused a token:
// JSON with a status, at most servers. RFC 7628 §3.2.2.
type ChallengeError struct{ Text string }

// Error returns the words of the server.
func (e *ChallengeError) Error() string { return "the server said before: " + e.Text }

// bearer is the client of XOAUTH2 and of OAUTHBEARER (RFC 7628). A refused token
// is answered by a challenge with the reason, which wants an empty response.
type bearer struct{ name, first, last string }

// Start returns the token as the initial response.
func (b bearer) Start() (string, []byte, error) { return b.name, []byte(b.first), nil }

// Next answers the challenge that gives the reason of a refusal.
func (b bearer) Next([]byte) ([]byte, error) { return []byte(b.last), nil }

// cramMD5 is the client of CRAM-MD5. RFC 2195.
type cramMD5 struct{ user, password string }

// Start begins without an initial response.
func (m *cramMD5) Start() (string, []byte, error) { return "CRAM-MD5", nil, nil }

// Next answers the challenge by its keyed digest.
func (m *cramMD5) Next(challenge []byte) ([]byte, error) {
	h := hmac.New(md5.New, []byte(m.password))
	h.Write(challenge)
	return []byte(m.user + " " + hex.EncodeToString(h.Sum(nil))), nil
}

// login is the client of the LOGIN mechanism. It answers the first question with
// the user and the second with the password, whatever the words: servers word
// them in many ways. draft-murchison-sasl-login-00.
type login struct {
	user, password string
	asked          int
}

// Start begins without an initial response, which some servers do not take.
func (l *login) Start() (string, []byte, error) { return "LOGIN", nil, nil }

// Next answers one question.
func (l *login) Next([]byte) ([]byte, error) {
	l.asked++
	switch l.asked {
	case 1:
		return []byte(l.user), nil
	case 2:
		return []byte(l.password), nil
	}
	return nil, sasl.ErrUnexpectedServerChallenge
}
