package lab

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
)

// mechanisms is what AUTH offers.
func (c *conversation) mechanisms() string {
	if m := c.s.scenario.b.mechanisms; m != "" {
		return m
	}
	return c.s.persona.Mechanisms
}

// offersAuth reports whether AUTH is offered now: under TLS, or where there is no
// TLS to be had.
func (c *conversation) offersAuth() bool {
	b := &c.s.scenario.b
	return !b.noAuth && (c.secure || b.noStartTLS || b.masked || b.clearAuth || c.s.options.ClearAuth)
}

// auth makes one login. RFC 4954.
func (c *conversation) auth(arg string) bool {
	name, initial, given := strings.Cut(arg, " ")
	c.mechanism = strings.ToUpper(name)
	shown := "AUTH " + c.mechanism
	if given {
		shown += " ***"
	}
	c.heard(shown)
	if a, ok := c.s.scenario.b.acts[stepAuth]; ok && (a.when == nil || a.when(c)) {
		return c.reply(stepAuth, "")
	}
	switch {
	case !c.offersAuth() && !c.secure && !c.s.scenario.b.noAuth:
		return c.say("538 5.7.11 Encryption required for requested authentication mechanism")
	case !c.offersAuth():
		return c.say("503 5.5.1 Error: authentication not enabled")
	case !slices.Contains(strings.Fields(c.mechanisms()), c.mechanism):
		return c.say(c.s.persona.unknownMech)
	}
	right, on := c.exchange(initial, given)
	if !on {
		return false
	}
	user := c.triedUser
	c.s.script.note(c.record, func(r *Conversation) { r.User = user })
	good := c.s.persona.rejected
	if right {
		good = c.s.persona.accepted
	} else {
		c.s.meter.refused()
	}
	if a, ok := c.s.scenario.b.acts[stepLogin]; ok && a.challenge != "" && (a.when == nil || a.when(c)) {
		if _, on := c.ask(a.challenge); !on {
			return false
		}
	}
	obeyed, on := c.answer(stepLogin, good)
	if obeyed {
		c.user = user
		c.s.script.note(c.record, func(r *Conversation) { r.SignedIn = true })
	}
	return on
}

// exchange goes through a mechanism and reports whether the credentials are right,
// and whether the conversation goes on.
func (c *conversation) exchange(initial string, given bool) (right, on bool) {
	first := func() ([]byte, bool) {
		if given {
			return decode(initial), true
		}
		return c.ask("")
	}
	switch c.mechanism {
	case "LOGIN":
		user, ok := []byte(nil), true
		if given {
			user = decode(initial)
		} else if user, ok = c.ask("Username:"); !ok {
			return false, false
		}
		c.triedUser = string(user)
		word, ok := c.ask("Password:")
		return c.known(word), ok
	case "CRAM-MD5":
		const challenge = "<1896.697170952@lab.wellsent>"
		b, ok := c.ask(challenge)
		user, digest, _ := strings.Cut(string(b), " ")
		c.triedUser = user
		mac := hmac.New(md5.New, []byte(rightPassword))
		mac.Write([]byte(challenge))
		return user == rightUser && digest == hex.EncodeToString(mac.Sum(nil)), ok
	case "NTLM", "GSSAPI":
		_, ok := c.ask("")
		return false, ok
	case "XOAUTH2", "OAUTHBEARER":
		b, ok := first()
		c.triedUser = bearer(b)
		if decide := c.s.options.Token; decide != nil {
			return ok && decide(c.triedUser, bearerToken(b)), ok
		}
		return c.triedUser == rightUser && bytes.Contains(b, []byte("auth=Bearer "+rightToken+"\x01")), ok
	}
	b, ok := first() // PLAIN: authorisation, user, password. RFC 4616
	if parts := bytes.SplitN(b, []byte{0}, 3); len(parts) == 3 {
		c.triedUser = string(parts[1])
		return c.known(parts[2]), ok
	}
	return false, ok
}

func (c *conversation) known(word []byte) bool {
	c.s.mu.Lock()
	right := c.s.password
	c.s.mu.Unlock()
	return c.triedUser == rightUser && right != "" && string(word) == right
}

// bearer returns the user of an OAuth login: "user=…" in XOAUTH2, "a=…" in
// OAUTHBEARER. RFC 7628 §3.1.
func bearer(b []byte) string {
	for _, f := range strings.FieldsFunc(string(b), func(r rune) bool { return r == 1 || r == ',' }) {
		for _, key := range []string{"user=", "a="} {
			if user, ok := strings.CutPrefix(f, key); ok {
				return user
			}
		}
	}
	return ""
}

// bearerToken returns the token of an OAuth login.
func bearerToken(b []byte) string {
	_, rest, _ := strings.Cut(string(b), "auth=Bearer ")
	token, _, _ := strings.Cut(rest, "\x01")
	return token
}

// ask sends a challenge and reads the response; false when the client gave up.
func (c *conversation) ask(challenge string) ([]byte, bool) {
	if !c.say("334 " + base64.StdEncoding.EncodeToString([]byte(challenge))) {
		return nil, false
	}
	line, ok := c.readLine()
	if !ok {
		return nil, false
	}
	if line == "*" {
		c.heard(line)
		return nil, true
	}
	c.heard("***")
	return decode(line), true
}

func decode(s string) []byte {
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s))
	if err != nil {
		return nil
	}
	return b
}
