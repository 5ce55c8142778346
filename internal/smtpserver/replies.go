package smtpserver

import "github.com/wellsent/wellsent/internal/smtp"

// reply makes an entry of the table below.
func reply(code, subject, detail int, text string) smtp.Reply {
	return smtp.NewReply(code, subject, detail, text)
}

// noEnhanced marks replies that must not carry an enhanced status code. RFC 2034
// §4.
const noEnhanced = -1

// The named replies. Those with facts in them are made in the functions below.
var (
	replyBye            = reply(221, 0, 0, "Bye")                                                           // RFC 5321 §4.1.1.10
	replyOK             = reply(250, 0, 0, "Ok")                                                            // RFC 5321 §4.1.1.5, §4.1.1.9
	replySenderOK       = reply(250, 1, 0, "Ok")                                                            // RFC 5321 §4.1.1.2
	replyRecipientOK    = reply(250, 1, 5, "Ok")                                                            // RFC 5321 §4.1.1.3
	replyVerify         = reply(252, 1, 5, "Cannot verify the user, but will take mail and try to deliver") // RFC 5321 §3.5.3
	replyAuthOK         = reply(235, 7, 0, "Authentication successful")                                     // RFC 4954 §4
	replyReadyForTLS    = reply(220, 0, 0, "Ready to start TLS")                                            // RFC 3207 §4
	replySendData       = reply(354, noEnhanced, 0, "End data with <CR><LF>.<CR><LF>")                      // RFC 5321 §4.1.1.4
	replyShuttingDown   = reply(421, 3, 2, "Service is stopping; try again in a moment")                    // RFC 5321 §3.8
	replyIdle           = reply(421, 4, 2, "Timed out waiting for a command; closing the connection")       // RFC 5321 §4.5.3.2.7
	replyInternal       = reply(421, 3, 0, "Internal error; try again later")                               // RFC 5321 §4.2.1
	replyTooManyHere    = reply(421, 7, 0, "Too many connections from your address; close some first")      // RFC 5321 §4.2.1
	replyTooMany        = reply(421, 3, 2, "Too many connections; try again in a moment")                   // RFC 5321 §4.2.1
	replyTooManyErrors  = reply(421, 7, 0, "Too many errors; closing the connection")                       // RFC 5321 §4.3.2
	replyTooManyLogins  = reply(421, 7, 0, "Too many failed logins; closing the connection")                // RFC 4954 §4
	replyTooMuchBefore  = reply(421, 7, 0, "Too many commands before login; closing the connection")        // RFC 5321 §4.3.2
	replyNotSMTP        = reply(421, 7, 0, "This is a mail server (SMTP), not a web server")                // RFC 5321 §7.8
	replyNoRoom         = reply(452, 3, 1, "Not enough room to keep the message; try again later")          // RFC 5321 §4.2.3
	replyTooManyRcpts   = reply(452, 5, 3, "Too many recipients in one message; send the rest in another")  // RFC 5321 §4.5.3.1.10
	replyUnknown        = reply(500, 5, 1, "Command not recognised")                                        // RFC 5321 §4.2.4
	replyLineTooLong    = reply(500, 5, 2, "Line too long")                                                 // RFC 5321 §4.5.3.1.4
	replyBareLine       = reply(500, 5, 2, "A line must end in CRLF, not in a lone CR or LF")               // RFC 5321 §2.3.8
	replyNotOffered     = reply(502, 5, 1, "Command is not offered here")                                   // RFC 5321 §4.2.4
	replyArgument       = reply(501, 5, 4, "Wrong argument")                                                // RFC 5321 §4.3.2
	replyNoArgument     = reply(501, 5, 4, "This command takes no argument")                                // RFC 5321 §4.3.2
	replyHelloWantsName = reply(501, 5, 4, "EHLO and HELO want the name of your host")                      // RFC 5321 §4.1.1.1
	replyHelloFirst     = reply(503, 5, 1, "Say EHLO or HELO first")                                        // RFC 5321 §4.1.4
	replyMailTwice      = reply(503, 5, 1, "A mail transaction is under way; RSET ends it")                 // RFC 5321 §3.3
	replyMailFirst      = reply(503, 5, 1, "Say MAIL first")                                                // RFC 5321 §3.3
	replyRcptFirst      = reply(503, 5, 1, "No recipient was accepted; say RCPT first")                     // RFC 5321 §3.3
	replyTLSTwice       = reply(503, 5, 1, "TLS is on already")                                             // RFC 3207 §4
	replyTLSInMail      = reply(503, 5, 1, "Not within a mail transaction; RSET ends it")                   // RFC 3207 §4, 4954 §4
	replyTLSAfterAuth   = reply(503, 5, 1, "Not after a login without TLS: begin another session")          // RFC 3207 §4.2
	replyAfterSTARTTLS  = reply(554, 5, 0, "Nothing may follow STARTTLS before TLS is on")                  // RFC 3207 §4.2, §6
	replyAuthTwice      = reply(503, 5, 1, "You are logged in already")                                     // RFC 4954 §4
	replyAuthCancelled  = reply(501, 7, 0, "Login cancelled")                                               // RFC 4954 §4
	replyAuthDecode     = reply(501, 5, 2, "Cannot decode: not well-formed base64")                         // RFC 4954 §4
	replyAuthMalformed  = reply(501, 5, 2, "The login data is not well-formed")                             // RFC 4954 §4
	replyAuthLineLong   = reply(500, 5, 6, "Login line too long")                                           // RFC 4954 §4, §6
	replyAuthMechanism  = reply(504, 5, 4, "This login mechanism is not offered")                           // RFC 4954 §4
	replyAuthNotHere    = reply(503, 5, 1, "Login is not offered on this listener")                         // RFC 4954 §4
	replyAuthNeedsTLS   = reply(538, 7, 11, "Login needs encryption: say STARTTLS first")                   // RFC 4954 §6
	replyIdentity       = reply(535, 7, 8, "Logging in for somebody else is not possible")                  // RFC 4954 §4, 4616
	replyNeedTLS        = reply(530, 7, 0, "Must issue a STARTTLS command first")                           // RFC 3207 §4
	replyNeedAuth       = reply(530, 7, 0, "Authentication required")                                       // RFC 4954 §6
	replyBareData       = reply(550, 6, 11, "The message has a bare CR or LF; each line must end in CRLF")  // RFC 5321 §2.3.8; 5.6.11 in the IANA registry
	replyNoHeader       = reply(421, 7, 0, "Your address must begin with a PROXY header, which is missing or malformed")
	replyNoProxy        = reply(554, 7, 1, "Your address may not send a PROXY header")
	replyNoXClient      = reply(550, 7, 0, "Your address may not use XCLIENT")                            // Postfix, XCLIENT_README
	replyXClientInMail  = reply(503, 5, 1, "Not within a mail transaction or after a login")              // the same
	replyXClientSyntax  = reply(501, 5, 4, "XCLIENT wants ADDR=address and the attributes offered, once") // the same
	replyNotAllowed     = reply(554, 7, 1, "Your address may not use this server")                        // RFC 5321 §3.1
	replyHelp           = smtp.NewReply(214, 0, 0,                                                        // RFC 5321 §4.1.1.8
		"Commands: AUTH DATA EHLO HELO HELP MAIL NOOP QUIT RCPT RSET STARTTLS VRFY",
		"RFC 5321 and RFC 6409 describe them.")
)

// greeting is the reply to a new connection. RFC 5321 §4.3.1.
func greeting(hostname string) smtp.Reply {
	return smtp.NewReply(220, noEnhanced, 0, hostname+" ESMTP Wellsent")
}

// replyTooLarge names the limit, so that a person knows what would fit. RFC 1870
// §6.
func replyTooLarge(limit int64) smtp.Reply {
	return smtp.NewReply(552, 3, 4, "Message too large: at most "+size(limit)+" are taken here")
}

// challenge asks for the next step of a login. RFC 4954 §4.
func challenge(base64Text string) smtp.Reply {
	return smtp.NewReply(334, noEnhanced, 0, base64Text)
}

// replyShared says why an address alone is not enough. RFC 3463 §3.8.
func replyShared(addr string) smtp.Reply {
	return smtp.NewReply(550, 7, 1, "Relaying denied: everybody seems to come from "+addr+", a gateway, so this address proves nothing.",
		"Log in, or let the clients' own addresses through: PROXY protocol, host networking, or Docker without userland-proxy")
}
