// Package proxy opens connections through SOCKS5 and HTTP CONNECT proxies, and
// finds those that the environment names. What is said over a connection, and when
// a proxy is to be used, is left to others.
//
// # Vocabulary
//
// A [Proxy] is one proxy with its login. The target is the host and port that a
// connection through it leads to. An [Error] says whose failure it was: the proxy
// itself, its rules, its login, or the target as the proxy sees it.
//
// # Invariants
//
// A Proxy never changes. Its password is in no text that this package returns: not
// in its String, not in an error. A password in a file is read for each connection,
// so that it may be changed.
//
// # Failure
//
// Every failure is an *Error, with the cause that it shows. Nothing is tried twice
// and nothing goes past a proxy when it fails.
//
// # Concurrency
//
// A Proxy may be used by many goroutines at once. No goroutine is left behind.
//
// # Standards
//
// RFC 1928 (SOCKS 5), 1929 (its user names and passwords), 9110 §9.3.6 (CONNECT),
// §11.7 (Proxy-Authorization), 7617 (Basic). Of SOCKS, GSSAPI and the commands
// BIND and UDP ASSOCIATE are left out.
package proxy
