package lab

import (
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/smtp"
)

// smtp speaks SMTP, good but for what the scenario has otherwise.
func (c *conversation) smtp() {
	if !c.reply(stepGreeting, c.s.persona.greeting) {
		return
	}
	for {
		line, ok := c.readLine()
		if !ok || !c.command(line) {
			return
		}
	}
}

// command obeys one command and reports whether the conversation goes on.
func (c *conversation) command(line string) bool {
	verb, arg := smtp.SplitCommand([]byte(line))
	if verb != "AUTH" {
		c.heard(line)
	}
	p := c.s.persona
	switch verb {
	case "EHLO":
		c.introduce(arg)
		return c.reply(stepEHLO, c.hello())
	case "HELO":
		c.introduce(arg)
		first, _, _ := strings.Cut(p.hello, "\n")
		return c.reply(stepHELO, "250 "+first)
	case "STARTTLS":
		return c.startTLS()
	case "AUTH":
		return c.auth(arg)
	case "MAIL":
		return c.mail(arg)
	case "RCPT":
		return c.recipient(arg)
	case "DATA":
		return c.data()
	case "BDAT":
		return c.chunk(arg)
	case "RSET":
		c.forget()
		return c.say(p.rset)
	case "NOOP":
		return c.say("250 2.0.0 OK")
	case "VRFY":
		return c.say("252 2.0.0 " + arg)
	case "QUIT":
		c.uncount() // before the client hears of it, and may open the next one
		c.say(p.bye)
		c.leave()
		return false
	}
	return c.say(p.syntax)
}

// reply gives the good reply, or does what the scenario has in its place. It
// reports whether the conversation goes on; said tells what the reply was.
func (c *conversation) reply(at step, good string) bool {
	_, on := c.answer(at, good)
	return on
}

// answer is reply for those who must know whether the command was obeyed.
func (c *conversation) answer(at step, good string) (obeyed, on bool) {
	if !c.wait(c.s.scenario.b.slow) {
		return false, false
	}
	return c.answerNow(at, good)
}

// answerNow is answer for what has waited already.
func (c *conversation) answerNow(at step, good string) (obeyed, on bool) {
	a, ok := c.s.scenario.b.acts[at]
	if !ok || a.when != nil && !a.when(c) {
		said := good == "" || c.say(good)
		return said && good != "" && good[0] < '4', said
	}
	if !c.wait(a.wait) {
		return false, false
	}
	say := a.say
	if say == "" && a.then == goOn {
		say = good
	}
	if say != "" && !c.say(say) {
		return false, false
	}
	switch a.then {
	case hangUp:
		c.leave()
		return false, false
	case reset:
		c.cut()
		return false, false
	case silent:
		c.fallSilent()
		return false, false
	}
	return say != "" && say[0] < '4', true
}

func (c *conversation) introduce(name string) {
	c.helo = name
	c.forget()
	c.s.script.note(c.record, func(r *Conversation) { r.HELO = name })
}

func (c *conversation) forget() { c.from, c.hasFrom, c.rcpt, c.rcpts, c.to = "", false, "", 0, nil }

// hello is the reply to EHLO: who we are and what is offered now.
func (c *conversation) hello() string {
	p, b := c.s.persona, &c.s.scenario.b
	lines := append([]string{p.hello}, p.extensions...)
	if b.asciiOnly {
		lines = slices.DeleteFunc(lines, func(l string) bool { return l == "SMTPUTF8" })
	}
	lines = append(lines, "SIZE "+strconv.FormatInt(c.maxBytes(), 10))
	if !b.noStartTLS && !c.secure {
		offer := "STARTTLS"
		if b.masked {
			offer = "XXXXXXXA" // as Cisco's inspection leaves it
		}
		lines = append(lines, offer)
	}
	if c.offersAuth() {
		lines = append(lines, "AUTH "+c.mechanisms())
	}
	return "250-" + strings.Join(lines[:len(lines)-1], "\n250-") + "\n250 " + lines[len(lines)-1]
}

func (c *conversation) maxBytes() int64 {
	if n := c.s.scenario.b.maxBytes; n > 0 {
		return n
	}
	return c.s.persona.Size
}

// startTLS secures the connection. RFC 3207.
func (c *conversation) startTLS() bool {
	b := &c.s.scenario.b
	if b.noStartTLS || b.masked || c.secure {
		return c.say(c.s.persona.syntax)
	}
	obeyed, on := c.answer(stepSTARTTLS, c.s.persona.ready)
	if !on || !obeyed {
		return on
	}
	c.helo, c.user = "", ""
	c.forget()
	return c.handshake()
}

// mail begins a transaction.
func (c *conversation) mail(arg string) bool {
	path, params, err := smtp.ParseMail(arg, !c.s.scenario.b.asciiOnly)
	if err != nil {
		return c.say(wrong(err, "501 5.5.4 Syntax: MAIL FROM:<address>"))
	}
	if c.hasFrom {
		return c.say(c.s.persona.sequence)
	}
	good := c.s.persona.mail
	if params.Size > c.maxBytes() {
		good = "552 5.3.4 Message size exceeds fixed limit"
	}
	c.from = string(path)
	obeyed, on := c.answer(stepMail, good)
	c.hasFrom, c.begun = obeyed, c.s.options.Now()
	return on
}

// recipient adds one recipient.
func (c *conversation) recipient(arg string) bool {
	path, _, err := smtp.ParseRcpt(arg, !c.s.scenario.b.asciiOnly)
	if err != nil {
		return c.say(wrong(err, "501 5.5.4 Syntax: RCPT TO:<address>"))
	}
	if !c.hasFrom {
		return c.say("503 5.5.1 Error: need MAIL command")
	}
	c.rcpt = string(path)
	good := c.s.persona.rcpt
	if n := c.s.meter.limits.Recipients; n > 0 && c.rcpts >= n {
		good = saysMany
	}
	obeyed, on := c.answer(stepRcpt, good)
	if obeyed {
		c.rcpts++
		c.to = append(c.to, c.rcpt)
	}
	return on
}

// wrong returns the reply of a parser's error.
func wrong(err error, otherwise string) string {
	var e *smtp.CommandError
	if errors.As(err, &e) {
		return e.Reply.String()
	}
	return otherwise
}

// data takes a message and drops it.
func (c *conversation) data() bool {
	if c.rcpts == 0 {
		return c.say("554 5.5.1 Error: no valid recipients")
	}
	obeyed, on := c.answer(stepData, c.s.persona.data)
	if !on || !obeyed {
		return on
	}
	if _, ok := c.s.scenario.b.acts[stepContent]; ok {
		if _, err := c.br.Peek(1); err != nil {
			return false
		}
		return c.reply(stepContent, "")
	}
	c.conn.SetReadDeadline(time.Now().Add(maxConversation))
	r := smtp.NewDotReader(c.br, smtp.DotOptions{MaxBytes: maxMessage, Lenient: true, BareDot: true})
	n, err := io.Copy(io.Discard, r)
	if err != nil {
		c.remark("the message ends in the middle: " + err.Error())
		return false
	}
	return c.stored(n)
}

// chunk takes a part of a message and drops it. RFC 3030.
func (c *conversation) chunk(arg string) bool {
	size, last, _ := strings.Cut(arg, " ")
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil || n < 0 || n > maxMessage {
		return c.say("501 5.5.4 Syntax: BDAT count [LAST]")
	}
	c.conn.SetReadDeadline(time.Now().Add(maxConversation))
	if _, err := io.CopyN(io.Discard, c.br, n); err != nil {
		c.remark("the message ends in the middle: " + err.Error())
		return false
	}
	switch {
	case c.rcpts == 0:
		return c.say("554 5.5.1 Error: no valid recipients")
	case !strings.EqualFold(last, "LAST"):
		return c.say("250 2.0.0 " + size + " octets received")
	}
	return c.stored(n)
}

// stored answers the end of a message of n octets.
func (c *conversation) stored(n int64) bool {
	c.heard("(a message of " + strconv.FormatInt(n, 10) + " octets)")
	good := c.s.persona.stored
	if n > c.maxBytes() {
		good = "552 5.3.4 Message size exceeds fixed limit"
	}
	if !c.wait(c.s.scenario.b.slow) {
		return false
	}
	var counted *spent
	now := c.s.options.Now()
	if good[0] == '2' {
		var refusal string
		if counted, refusal = c.s.meter.spend(now, c.rcpts); refusal != "" {
			good = refusal
		}
	}
	obeyed, on := c.answerNow(stepDot, good)
	switch {
	case obeyed:
		c.s.script.note(c.record, func(r *Conversation) { r.Accepted++ })
		if c.s.options.Stored != nil {
			c.s.options.Stored(Stored{From: c.from, To: c.to, Begun: c.begun, At: now})
		}
	case counted != nil: // the client does not know that it was taken
		c.s.meter.unspend(counted)
	}
	c.forget()
	return on
}
