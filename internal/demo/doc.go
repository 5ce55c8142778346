// Package demo shows the whole post office to somebody who has never heard of
// it: a real server on loopback with STARTTLS, login and spool, a mail server of
// the other side that it plays itself, and the five things that happen to
// outgoing mail. Nothing in it is staged: what is printed was read from sockets,
// the spool and the notifications, and a step that does not happen is an error.
//
// Everything lives in a temporary directory that is removed at the end, and all
// traffic stays on loopback.
package demo
