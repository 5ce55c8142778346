// Package listen is the doctor turned round: a server that takes whatever a
// device or a program sends, keeps none of it, and says what a strict provider
// would refuse in it. It is for the faults that only show on the client's side: a
// sender the program made up, EHLO localhost, TLS 1.0, bare newlines, a setting
// that was never loaded.
//
// # Vocabulary
//
// A [Session] is what one connection showed: facts. A [Remark] is what is wrong
// with it: a judgement, made by [Judge], which is pure.
//
// # Invariants
//
// Nothing is sent on and no message is kept: of its content only counts and some
// header fields are. Any user name and any password are taken, and a password
// leaves no trace but whether it was empty, had blanks around it or letters beyond
// ASCII. Sessions are bounded in time, commands and octets.
//
// # Failure
//
// A session that breaks off is a session; how it ended is one of its facts.
//
// # Concurrency
//
// [Server.Serve] runs one goroutine a connection and returns when all have ended.
//
// # Standards
//
// RFC 5321, 5322, 3207, 4954, 6152 and 8314.
package listen
