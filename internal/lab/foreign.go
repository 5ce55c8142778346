package lab

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"time"
)

// imap is an IMAP server that knows how to log in, and nothing more. RFC 9051.
func imap(c *conversation) {
	if !c.say("* OK [CAPABILITY " + c.imapCapability() + "] Dovecot ready.") {
		return
	}
	for {
		line, ok := c.readLine()
		if !ok {
			return
		}
		tag, rest, _ := strings.Cut(line, " ")
		verb, arg, _ := strings.Cut(rest, " ")
		verb = strings.ToUpper(verb)
		if verb == "LOGIN" || verb == "AUTHENTICATE" {
			c.heard(tag + " " + verb + " ***")
		} else {
			c.heard(line)
		}
		switch verb {
		case "CAPABILITY":
			c.say("* CAPABILITY " + c.imapCapability())
			ok = c.say(tag + " OK Capability completed.")
		case "NOOP":
			ok = c.say(tag + " OK NOOP completed.")
		case "STARTTLS":
			ok = c.say(tag+" OK Begin TLS negotiation now.") && c.handshake()
		case "LOGIN":
			user, word, _ := strings.Cut(arg, " ")
			ok = c.imapLogin(tag, unquote(user), unquote(word))
		case "AUTHENTICATE":
			mechanism, initial, given := strings.Cut(arg, " ")
			if !strings.EqualFold(mechanism, "PLAIN") {
				ok = c.say(tag + " NO [CANNOT] Unsupported authentication mechanism.")
				break
			}
			if !given {
				if ok = c.say("+ "); !ok {
					return
				}
				if initial, ok = c.readLine(); !ok {
					return
				}
				c.heard("***")
			}
			if parts := bytes.SplitN(decode(initial), []byte{0}, 3); len(parts) == 3 {
				ok = c.imapLogin(tag, string(parts[1]), string(parts[2]))
			} else {
				ok = c.say(tag + " BAD Invalid SASL response.")
			}
		case "LOGOUT":
			c.say("* BYE Logging out\n" + tag + " OK Logout completed.")
			c.leave()
			return
		default:
			ok = c.say(tag + " BAD Error in IMAP command received by server.")
		}
		if !ok {
			return
		}
	}
}

func (c *conversation) imapCapability() string {
	if c.secure {
		return "IMAP4rev1 SASL-IR LITERAL+ ID AUTH=PLAIN AUTH=LOGIN"
	}
	return "IMAP4rev1 SASL-IR LITERAL+ ID STARTTLS LOGINDISABLED"
}

func (c *conversation) imapLogin(tag, user, word string) bool {
	c.triedUser = user
	right := c.known([]byte(word))
	c.s.script.note(c.record, func(r *Conversation) { r.User, r.SignedIn = user, right })
	switch {
	case !c.secure:
		return c.say(tag + " NO [PRIVACYREQUIRED] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.")
	case right:
		return c.say(tag + " OK Logged in")
	}
	return c.say(tag + " NO [AUTHENTICATIONFAILED] Authentication failed.")
}

func unquote(s string) string {
	if len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' {
		return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(s[1 : len(s)-1])
	}
	return s
}

// pop3 is a POP3 server that knows how to log in, and nothing more. RFC 1939,
// 2595.
func pop3(c *conversation) {
	if !c.say("+OK Dovecot ready.") {
		return
	}
	for {
		line, ok := c.readLine()
		if !ok {
			return
		}
		verb, arg, _ := strings.Cut(line, " ")
		verb = strings.ToUpper(verb)
		if verb == "PASS" || verb == "AUTH" {
			c.heard(verb + " ***")
		} else {
			c.heard(line)
		}
		switch verb {
		case "CAPA":
			offer := "\nSTLS"
			if c.secure {
				offer = ""
			}
			ok = c.say("+OK\nTOP\nUIDL\nRESP-CODES\nUSER" + offer + "\n.")
		case "STLS":
			ok = c.say("+OK Begin TLS negotiation now.") && c.handshake()
		case "USER":
			c.triedUser = arg
			ok = c.say("+OK")
		case "PASS":
			right := c.known([]byte(arg)) && c.secure
			c.s.script.note(c.record, func(r *Conversation) { r.User, r.SignedIn = c.triedUser, right })
			if right {
				ok = c.say("+OK Logged in.")
			} else {
				ok = c.say("-ERR [AUTH] Authentication failed.")
			}
		case "QUIT":
			c.say("+OK Logging out")
			c.leave()
			return
		default:
			ok = c.say("-ERR Unknown command.")
		}
		if !ok {
			return
		}
	}
}

// http is a web server, which waits for the client to begin and says 400 to what
// is no HTTP. nginx answers the first line of rubbish so.
func http1(c *conversation) {
	line, ok := c.readLine()
	if !ok {
		return
	}
	c.heard(line)
	status, body := "400 Bad Request", "<html>\r\n<head><title>400 Bad Request</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
	if strings.HasSuffix(line, " HTTP/1.1") || strings.HasSuffix(line, " HTTP/1.0") {
		status, body = "200 OK", "<html><head><title>Welcome to nginx!</title></head><body><h1>Welcome to nginx!</h1></body></html>\r\n"
	}
	c.s.script.line(c.record, "S", "HTTP/1.1 "+status)
	c.send("HTTP/1.1 " + status + "\r\nServer: nginx\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n" + body)
	c.leave()
}

// ssh is an SSH server's first word, and its answer to what is no SSH. RFC 4253
// §4.2.
func ssh(c *conversation) {
	if !c.say("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3") {
		return
	}
	line, ok := c.readLine()
	if !ok {
		return
	}
	c.heard(line)
	if !strings.HasPrefix(line, "SSH-") {
		c.say("Invalid SSH identification string.")
	}
	c.leave()
}

// ftp is an FTP server, whose replies look like those of SMTP at first. RFC 959.
func ftp(c *conversation) {
	if !c.say("220 (vsFTPd 3.0.5)") {
		return
	}
	for {
		line, ok := c.readLine()
		if !ok {
			return
		}
		c.heard(line)
		if strings.EqualFold(line, "QUIT") {
			c.say("221 Goodbye.")
			c.leave()
			return
		}
		if !c.say("530 Please login with USER and PASS.") {
			return
		}
	}
}

// mysql is a database's handshake, which is no text.
func mysql(c *conversation) {
	salt := sha256.Sum256([]byte(c.ip))
	packet := "\x0a5.5.5-10.11.6-MariaDB-0+deb12u1\x00" + "\x1f\x00\x00\x00" + base64.StdEncoding.EncodeToString(salt[:6]) + "\x00" + "\xfe\xf7\x2d\x02\x00\xff\x81\x15" + strings.Repeat("\x00", 10) + "lab-salt-lab\x00mysql_native_password\x00"
	c.remark("the handshake of a database is sent")
	if !c.send(string([]byte{byte(len(packet)), 0, 0, 0}) + packet) {
		return
	}
	if line, ok := c.readLine(); ok {
		c.heard(line)
	}
	c.leave()
}

// mute accepts the connection and never says a word.
func mute(c *conversation) { c.fallSilent() }

// dropper accepts the connection and closes it.
func dropper(c *conversation) { c.leave() }

// resetter accepts the connection and resets it, late enough for the client to know
// that it stood.
func resetter(c *conversation) {
	if c.pause(resetAfter) {
		c.cut()
	}
}

// resetAfter is longer than connect(2) takes to return on a busy machine.
const resetAfter = 50 * time.Millisecond
