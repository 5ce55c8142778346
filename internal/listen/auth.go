package listen

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtp"
)

// errCancelled is a login that the client gave up with "*".
var errCancelled = errors.New("the client gave the login up")

// auth takes one login, whatever it is. What was said is noted without secrets.
// It reports false where the session ends with it.
func (h *hearing) auth(arg string) bool {
	mechanism, initial, _ := strings.Cut(strings.TrimSpace(arg), " ")
	mechanism = strings.ToUpper(mechanism)
	l := Login{Mechanism: evidence.Clip(evidence.Printable(mechanism), 40), Secure: h.s.TLS != ""}
	shown := "AUTH " + l.Mechanism
	if initial != "" {
		shown += " ***"
	}
	h.note("C", shown)
	err := h.exchange(&l, mechanism, initial)
	if len(h.s.Logins) < 20 {
		h.s.Logins = append(h.s.Logins, l)
	}
	switch {
	case errors.Is(err, errCancelled):
		h.reply(smtp.NewReply(501, 7, 0, "given up"))
	case err != nil:
		h.ended(err, "in the login")
		return false
	case l.Fault != "":
		h.reply(smtp.NewReply(501, 5, 2, l.Fault))
	case mechanism == "NTLM":
		h.reply(smtp.NewReply(535, 7, 8, "NTLM is seen here and goes no further"))
	default:
		h.reply(smtp.NewReply(235, 7, 0, "any password will do here"))
	}
	return true
}

// exchange reads the responses of a mechanism. Faults of the client are noted in l;
// the error is one of the connection, or errCancelled.
func (h *hearing) exchange(l *Login, mechanism, initial string) error {
	switch mechanism {
	case "PLAIN":
		b, err := h.response(l, initial, "")
		if err != nil || l.Fault != "" {
			return err
		}
		parts := bytes.Split(b, []byte{0})
		if len(parts) != 3 {
			l.Fault = "PLAIN wants identity, user name and password parted by NUL"
			return nil
		}
		l.user(parts[1])
		l.password(parts[2])
	case "LOGIN":
		user, err := h.response(l, initial, "Username:")
		if err != nil || l.Fault != "" {
			return err
		}
		l.user(user)
		password, err := h.response(l, "", "Password:")
		if err != nil || l.Fault != "" {
			return err
		}
		l.password(password)
	case "CRAM-MD5":
		b, err := h.response(l, initial, "<1.1@"+h.server.o.Hostname+">")
		if err != nil || l.Fault != "" {
			return err
		}
		if i := bytes.LastIndexByte(b, ' '); i > 0 {
			l.user(b[:i])
		}
	case "XOAUTH2", "OAUTHBEARER":
		b, err := h.response(l, initial, "")
		if err != nil || l.Fault != "" {
			return err
		}
		l.user(oauthUser(b))
	case "NTLM":
		_, err := h.response(l, initial, "")
		return err
	default:
		l.Fault = "there is no mechanism of that name here"
		return nil
	}
	l.Done = true
	return nil
}

// response returns one response, decoded: the initial one, or the answer to a
// challenge.
func (h *hearing) response(l *Login, initial, challenge string) ([]byte, error) {
	if initial == "" {
		h.reply(smtp.NewReply(334, noEnhanced, 0, base64.StdEncoding.EncodeToString([]byte(challenge))))
		line, err := h.line()
		if err != nil {
			return nil, err
		}
		h.note("C", "***")
		if initial = string(line); initial == "*" {
			l.Fault = "given up by the client"
			return nil, errCancelled
		}
	}
	if initial == "=" {
		return nil, nil // RFC 4954 §4
	}
	b, err := base64.StdEncoding.DecodeString(initial)
	if err != nil {
		l.Fault = "what it sent is not base64"
	}
	return b, nil
}

// oauthUser returns the user of an XOAUTH2 or OAUTHBEARER response. The token is
// left where it is. RFC 7628 §3.1.
func oauthUser(b []byte) []byte {
	for _, field := range bytes.FieldsFunc(b, func(r rune) bool { return r == 1 || r == ',' }) {
		for _, key := range []string{"user=", "a="} {
			if x, ok := bytes.CutPrefix(field, []byte(key)); ok {
				return x
			}
		}
	}
	return nil
}

func (l *Login) user(b []byte) {
	l.User = evidence.Clip(evidence.Printable(string(b)), 200)
}

// password notes what is odd about a password, and nothing that it is.
func (l *Login) password(b []byte) {
	switch trimmed := bytes.TrimSpace(b); {
	case len(b) == 0:
		l.Password = append(l.Password, "it is empty")
	case len(trimmed) != len(b):
		l.Password = append(l.Password, "there is a blank or a line end before or after it")
	}
	for _, c := range b {
		if c >= 0x80 {
			l.Password = append(l.Password, "it has letters beyond ASCII, which programs encode in different ways")
			break
		}
	}
}
