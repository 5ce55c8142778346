// Package daemon puts the post office together: store, accounts, routes,
// dispatcher, listeners and the control socket, from one configuration. All
// wiring is in this package and nowhere else.
//
// # Life
//
// [Open] makes everything that can fail for a reason the operator must know:
// directory, store, certificate, sockets. [Daemon.Run] serves until its context
// ends, then stops in order: no new connections, 421 to idle sessions,
// transactions in hand finish, the dispatcher's workers finish theirs, the store
// is synced and closed.
//
// # Failure
//
// A failed write of the store ends Run with an error; the process must be
// started anew, by a service manager, because a store is never opened again by
// the process that saw it fail. Killing the process at any instant is safe.
package daemon
