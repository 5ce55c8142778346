// Package gateway tells addresses that stand for one machine from addresses that may
// stand for anybody. Behind Docker's port forwarding or a router that rewrites
// addresses, every client seems to come from one gateway: a rule that lets this
// address send without login would be an open relay.
//
// # Vocabulary
//
// [Facts] are what this machine says of itself: its default gateways, its own
// addresses, its bridges to containers, and whether it is a container. A shared
// address is one that other people's connections may bear too.
//
// # Invariants
//
// [Facts.Shared] is pure. [Read] reads files and interfaces of this machine only,
// and sends nothing.
//
// # Failure
//
// What cannot be read is not there: on systems without /proc only the interfaces
// are known, and a gateway is then not detected.
//
// # Concurrency
//
// Facts are immutable. [Watch] returns a function for many goroutines.
package gateway
