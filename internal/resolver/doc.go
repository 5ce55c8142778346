// Package resolver looks up where mail goes: the mail exchangers of a domain and
// the addresses of a host. It tells a name that does not exist from one without
// records, a name server that fails, and one that cannot be reached, because each
// has another cause and another cure. It asks and never judges; which host is
// tried when, and what a failure means, is left to its callers.
//
// # Vocabulary
//
// An [MX] is one mail exchanger. The null MX says that a domain takes no mail. An
// [SRV] is one server of a service; the target "." says that there is none. A
// name with a final dot is absolute; one without is searched as resolv.conf(5)
// says where the system's configuration is in use.
//
// # Invariants
//
// Names are asked for in their ASCII form (A-labels). Exchangers are returned by
// preference, those of the same preference in random order; servers of a service
// by priority, those of the same priority in random order by weight. Addresses are
// returned IPv6 first where both exist, each once. An answer is taken only when it
// carries the question that was asked.
//
// # Failure
//
// Every failure is an [Error] with a [Kind]; errors.Is finds the kind and
// errors.As finds a *net.DNSError too. Several servers are asked in turn; an
// answer, that the name does not exist included, ends the search, and when none
// gives one the most telling failure is returned.
//
// # Concurrency
//
// A [Resolver] is used by many goroutines at once. It keeps no answers: the
// machine's name server does. The system's configuration is read again when its
// files change.
//
// # Standards
//
// RFC 1035 (DNS), 2308 (no data), 2782 (SRV), 5321 §5.1 (MX and fallback), 5891 (IDNA), 6761
// §6.3 (localhost), 6891 (EDNS), 7505 (null MX), 7766 (TCP).
package resolver
