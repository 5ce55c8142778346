// Package smtpserver speaks SMTP with one client, from greeting to QUIT: the
// dialogue, its limits and its security. It knows nothing of accounts, storage or
// routes: what to do with a login, a sender, a recipient and a message is asked of
// a [Handler].
//
// # Vocabulary
//
// A session is one connection. Its client is the peer, or whom a named peer has
// told of, by the PROXY protocol or by XCLIENT. A mail transaction begins
// with MAIL and ends with the reply to the final dot, RSET, EHLO or STARTTLS.
//
// # States and invariants
//
// The states of a session are in state.go, all moves are made by one function
// there. Replies come from one table, in replies.go, verbs from one table, in
// verbs.go.
//
// Replies to pipelined commands are written together: the output is flushed when
// no further complete command is in the input buffer, before a message is read,
// and before a slow-down.
//
// Only CRLF ends a command line and only CRLF.CRLF ends message data, except on a
// device listener with BareNewlines. Nothing received before a TLS handshake
// survives it: input that follows STARTTLS in clear text ends the session.
// Credentials are taken only over TLS, except with PlaintextAuth. A mechanism is taken
// only where it was offered. PLAIN and LOGIN are spoken here, the exchanges of others
// by Config.Exchange.
//
// Peers that a listener does not name cannot pass for others. What a named peer
// says holds for limits, for who may use the listener, for the log and Received; it
// never lends its own rights, and what it says of TLS or of logins is not taken.
//
// # Failure
//
// A panic in a handler answers 421 to that client, is logged with its stack, and
// ends that session only.
//
// # Concurrency
//
// One goroutine a session. [Server.Serve] may be called for many listeners at
// once; it returns when its sessions have ended. [Server.Shutdown] answers 421 to
// sessions that wait for a command outside a transaction and lets the others
// finish theirs.
//
// # Standards
//
// RFC 5321, 6409, 8314, 1870, 2034, 2920, 3207, 3461, 4616, 4954, 6152, 6531. The PROXY
// protocol, and XCLIENT as Postfix has it (XCLIENT_README).
package smtpserver
