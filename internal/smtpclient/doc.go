// Package smtpclient is one outbound conversation with one server, recorded. It
// opens the connection, secures it, logs in, carries one message after another
// and returns what the server said to each. Names are resolved, hosts chosen,
// messages converted and failures explained by others.
//
// # Vocabulary
//
// A [Client] is a conversation. A [Mail] is one message with its envelope, an
// [Answer] what became of it. An *evidence.Error is a failure with its stage, its
// origin, what it condemns and the reply unaltered; its cause is left empty.
//
// # States and invariants
//
// A Client is new, open or closed. New: nothing was said. Open: after [Client.Open]
// returned nil; Send may follow any number of times. Closed: after Close, or after
// a failure that condemns the connection; [Client.Alive] tells. Only Open leads
// from closed to open, on a new connection.
//
// Nothing is said about a message before the demanded security stands. Credentials
// go over clear text only where Options.PlaintextAuth says so. What a server said
// before TLS is forgotten after it. A recipient counts as delivered only when its
// RCPT and the final dot after 354 were accepted.
//
// A login uses the best mechanism that both sides know, and the next one only where the
// server has not judged the password: one that was refused is given once.
//
// Credentials and message content never enter the recorder.
//
// # Failure
//
// A failure before the final dot means that nothing was accepted. When the line
// dies after it, or rubbish comes in place of the reply, the message may have been
// accepted: [Answer.Uncertain]. Every read and write has a deadline from
// [Timeouts].
//
// # Concurrency
//
// A Client is used by one goroutine. It starts none that outlives a call.
//
// # Standards
//
// RFC 5321 (SMTP), 1870 (SIZE), 2034 (enhanced status codes), 2920 (PIPELINING),
// 3207 (STARTTLS), 3461 (DSN), 4954 (AUTH), 6152 (8BITMIME), 6531 (SMTPUTF8), 8314
// (TLS at once), 9422 (LIMITS); 5802, 7677, 5929 and 9266 (SCRAM and its channel
// binding), 7628 (OAUTHBEARER); MS-NLMP, MS-SMTPNTLM.
package smtpclient
