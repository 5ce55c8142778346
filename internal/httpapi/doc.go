// Package httpapi is the control interface of a running server: what an operator
// may see of the queue and the orders an operator may give, as JSON over HTTP on
// a unix socket in the data directory. It holds both sides, [Server] and
// [Client]; what an order does is the business of package dispatch.
//
// # Vocabulary
//
// An [Operator] is whoever carries out orders: the dispatcher of this process, or
// a Client that hands them to the server's. A selection names what an order is
// about. [Info] says which server answers.
//
//	GET  /v1/info                server
//	GET  /v1/lanes               lanes, as a JSON array
//	GET  /v1/devices             devices, as a JSON array
//	GET  /v1/worries             what is to be looked at, as a JSON array
//	GET  /v1/queue               entries, one JSON value a line; ?state= ?lane= ?id=
//	GET  /v1/queue/{id}          one message in full
//	POST /v1/queue/{order}       order: retry, hold, resume, cancel; a selection
//	POST /v1/flush               answers when each recipient has been tried
//
// A failure is answered as {"error": {"code": …, "message": …}}; the codes are
// not-found, usage, unavailable and internal. In a list that has begun it is the last line.
//
// # Security
//
// The socket has mode 0660: whoever may open it may do everything. It is made in
// a private directory and moved in place, so that it has its mode before it can
// be found. There is no other way in: nothing listens on the network.
//
// # Failure
//
// A server that was killed leaves its socket behind. A client finds that nobody
// listens and returns [ErrNotRunning], as without a socket; the next server,
// which holds the lock of the data directory, replaces it. A list that breaks
// off is an error at the client, never a short list.
//
// # Concurrency
//
// Server and Client may be used by many goroutines at once. Requests are bounded
// in size and in the time they take to arrive; answers wait for a slow reader
// only so long.
package httpapi
