// Package route decides the next hop of a recipient and the security it requires. It is pure: no I/O.
package route
