// Package smtptest plays written dialogues against an SMTP server or an SMTP
// client, for tests. What the dialogue means is left to the reader and to the side
// that is tested.
//
// # Vocabulary
//
// A [Script] is a text of steps, one a line. C is the client, S the server; the
// side that plays says its own lines and expects those of the other.
//
//	# a comment; empty lines count for nothing
//	C: EHLO client.example       a line of the client, sent with CRLF
//	S: 250-post.example.org      a line of the server
//	S: 250 SIZE ...              "..." at the end matches any rest, also none
//	C> "bare\nLF"                octets in Go's quotation, sent as they are
//	S> "220 half a li"           the same for the server
//	T:                           TLS handshake now
//	X:                           the side that plays closes the connection
//	E:                           the other side is expected to close it
//
// Lines of the playing side that follow one another go out in one write: commands
// written so are pipelined. Message data is written as lines of the client, with
// its final dot.
//
// # Invariants
//
// A step is complete before the next one begins. Between two lines that are said
// nothing may come but what the script expects, and at its end nothing may be
// left over of what was received.
//
// # Failure
//
// A difference is reported with Errorf, with the name and line of the script, what
// came and what was expected; the connection is then closed, so that the other
// side does not wait, and the play ends. Nothing waits longer than [Patience].
//
// # Concurrency
//
// A Script does not change and may be played by many at once. A play uses one
// goroutine, the caller's, which need not be that of the test.
//
// # Standards
//
// RFC 5321 for lines and their ends; the notation is that of its appendix D.
package smtptest
