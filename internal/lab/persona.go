package lab

import (
	"strconv"
	"strings"
	"time"
)

// Persona is whose manners a server has while nothing fails, as published in its
// documentation or its source. Texts may hold {host}, {ip}, {date}, {id}, {from}
// and {rcpt}.
type Persona struct {
	Name       string `json:"name"`
	Title      string `json:"title"`
	Mechanisms string `json:"mechanisms"` // what AUTH offers
	Size       int64  `json:"size"`       // octets, as SIZE says

	greeting, hello, ready                  string
	extensions                              []string // beside SIZE, STARTTLS and AUTH
	mail, rcpt, data, stored, rset, bye     string
	accepted, rejected, unknownMech         string
	authWanted, tlsWanted, sequence, syntax string
	oldTLS                                  bool // TLS 1.0 and no more
}

var personas = []Persona{
	{
		Name: "postfix", Title: "Postfix with Dovecot's SASL", Mechanisms: "PLAIN LOGIN", Size: 10240000,
		greeting: "220 {host} ESMTP Postfix", hello: "{host}", ready: "220 2.0.0 Ready to start TLS",
		extensions: []string{"PIPELINING", "VRFY", "ETRN", "ENHANCEDSTATUSCODES", "8BITMIME", "DSN", "SMTPUTF8", "CHUNKING"},
		mail:       "250 2.1.0 Ok", rcpt: "250 2.1.5 Ok", data: "354 End data with <CR><LF>.<CR><LF>", stored: "250 2.0.0 Ok: queued as {id}",
		rset: "250 2.0.0 Ok", bye: "221 2.0.0 Bye",
		accepted: "235 2.7.0 Authentication successful", rejected: "535 5.7.8 Error: authentication failed: authentication failure",
		unknownMech: "535 5.7.8 Error: authentication failed: Invalid authentication mechanism",
		authWanted:  "530 5.7.0 Authentication required", tlsWanted: "530 5.7.0 Must issue a STARTTLS command first",
		sequence: "503 5.5.1 Error: nested MAIL command", syntax: "502 5.5.2 Error: command not recognized",
	},
	{
		Name: "exchange-online", Title: "Exchange Online, client submission", Mechanisms: "LOGIN XOAUTH2", Size: 157286400,
		greeting: "220 {host} Microsoft ESMTP MAIL Service ready at {date}", hello: "{host} Hello [{ip}]", ready: "220 2.0.0 SMTP server ready",
		extensions: []string{"PIPELINING", "DSN", "ENHANCEDSTATUSCODES", "8BITMIME", "BINARYMIME", "CHUNKING", "SMTPUTF8"},
		mail:       "250 2.1.0 Sender OK", rcpt: "250 2.1.5 Recipient OK", data: "354 Start mail input; end with <CRLF>.<CRLF>",
		stored: "250 2.0.0 OK <{id}@{host}> [Hostname={host}]", rset: "250 2.0.0 Resetting", bye: "221 2.0.0 Service closing transmission channel",
		accepted: "235 2.7.0 Authentication successful", rejected: "535 5.7.3 Authentication unsuccessful [{host}]",
		unknownMech: "504 5.7.4 Unrecognized authentication type [{host}]",
		authWanted:  "530 5.7.57 Client not authenticated to send mail. [{host}]", tlsWanted: "451 5.7.3 STARTTLS is required to send mail [{host}]",
		sequence: "503 5.5.1 Bad sequence of commands", syntax: "500 5.3.3 Unrecognized command",
	},
	{
		Name: "gmail", Title: "Gmail, smtp.gmail.com", Mechanisms: "LOGIN PLAIN XOAUTH2 PLAIN-CLIENTTOKEN OAUTHBEARER XOAUTH", Size: 35882577,
		greeting: "220 {host} ESMTP {id} - gsmtp", hello: "{host} at your service, [{ip}]", ready: "220 2.0.0 Ready to start TLS",
		extensions: []string{"8BITMIME", "ENHANCEDSTATUSCODES", "PIPELINING", "CHUNKING", "SMTPUTF8"},
		mail:       "250 2.1.0 OK {id} - gsmtp", rcpt: "250 2.1.5 OK {id} - gsmtp", data: "354 Go ahead {id} - gsmtp", stored: "250 2.0.0 OK {id} - gsmtp",
		rset: "250 2.1.5 Flushed {id} - gsmtp", bye: "221 2.0.0 closing connection {id} - gsmtp",
		accepted:    "235 2.7.0 Accepted",
		rejected:    "535-5.7.8 Username and Password not accepted. For more information, go to\n535 5.7.8  https://support.google.com/mail/?p=BadCredentials {id} - gsmtp",
		unknownMech: "504 5.7.4 Unrecognized Authentication Type. For more information, go to https://support.google.com/a/answer/3726730 - gsmtp",
		authWanted:  "530-5.7.0 Authentication Required. For more information, go to\n530 5.7.0  https://support.google.com/mail/?p=WantAuthError {id} - gsmtp",
		tlsWanted:   "530 5.7.0 Must issue a STARTTLS command first. {id} - gsmtp",
		sequence:    "503 5.5.1 MAIL first. For more information, go to https://support.google.com/a/answer/3221692 - gsmtp",
		syntax:      "502 5.5.1 Unrecognized command. For more information, go to https://support.google.com/a/answer/3221692 - gsmtp",
	},
	{
		Name: "printer-era", Title: "a mail server of the years when the scanner was bought: TLS 1.0, LOGIN", Mechanisms: "LOGIN", Size: 20971520, oldTLS: true,
		greeting: "220 {host} ESMTP Sendmail 8.13.8/8.13.8; {date}", hello: "{host} Hello [{ip}], pleased to meet you", ready: "220 2.0.0 Ready to start TLS",
		extensions: []string{"ENHANCEDSTATUSCODES", "8BITMIME"},
		mail:       "250 2.1.0 <{from}>... Sender ok", rcpt: "250 2.1.5 <{rcpt}>... Recipient ok", data: "354 Enter mail, end with \".\" on a line by itself",
		stored: "250 2.0.0 {id} Message accepted for delivery", rset: "250 2.0.0 Reset state", bye: "221 2.0.0 {host} closing connection",
		accepted: "235 2.0.0 OK Authenticated", rejected: "535 5.7.0 authentication failed", unknownMech: "504 5.3.3 AUTH mechanism not available",
		authWanted: "530 5.7.0 Authentication required", tlsWanted: "530 5.7.0 Must issue a STARTTLS command first",
		sequence: "503 5.0.0 Need MAIL before RCPT", syntax: "500 5.5.1 Command unrecognized",
	},
}

// Personas returns all personas.
func Personas() []Persona { return append([]Persona(nil), personas...) }

func findPersona(name string) (*Persona, bool) {
	for i := range personas {
		if personas[i].Name == strings.ToLower(name) {
			return &personas[i], true
		}
	}
	return nil, false
}

// fill puts the facts of the conversation into a text.
func (c *conversation) fill(text string) string {
	if !strings.Contains(text, "{") {
		return text
	}
	return strings.NewReplacer(
		"{host}", c.s.settings.Host, "{ip}", c.ip, "{date}", time.Now().Format("Mon, 2 Jan 2006 15:04:05 -0700"),
		"{id}", strconv.FormatInt(c.id, 16)+"lab", "{from}", c.from, "{rcpt}", c.rcpt, "{helo}", c.helo,
	).Replace(text)
}
