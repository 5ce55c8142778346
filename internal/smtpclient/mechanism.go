package smtpclient

import (
	"crypto/hmac"
	"crypto/md5" // #nosec: CRAM-MD5 is what some servers still offer alone, and it goes over TLS
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/emersion/go-sasl"
)

// mechanisms returns the SASL clients for the credentials, the best first.
func (cred Credentials) mechanisms() []sasl.Client {
	all := []sasl.Client{
		sasl.NewPlainClient("", cred.User, cred.Password),
		&login{user: cred.User, password: cred.Password},
		&cramMD5{user: cred.User, password: cred.Password},
	}
	if cred.Token != "" {
		all = []sasl.Client{
			bearer{name: "XOAUTH2", first: fmt.Sprintf("user=%s\x01auth=Bearer %s\x01\x01", cred.User, cred.Token)},
			bearer{name: "OAUTHBEARER", first: fmt.Sprintf("n,a=%s,\x01auth=Bearer %s\x01\x01", gs2(cred.User), cred.Token), last: "\x01"},
		}
	}
	if cred.Mechanism == "" {
		return all
	}
	for _, m := range all {
		if name := nameOf(m); strings.EqualFold(name, cred.Mechanism) {
			return []sasl.Client{m}
		}
	}
	return nil
}

// Mechanisms are the names that Credentials.Mechanism may have.
var Mechanisms = []string{"PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER"}

func names(all []sasl.Client) []string {
	var n []string
	for _, m := range all {
		n = append(n, nameOf(m))
	}
	return n
}

func nameOf(m sasl.Client) string {
	switch m := m.(type) {
	case *login:
		return "LOGIN"
	case *cramMD5:
		return "CRAM-MD5"
	case bearer:
		return m.name
	}
	return "PLAIN"
}

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
