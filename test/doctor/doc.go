// Package doctor holds the matrix of "wellsent doctor": failures made with real
// servers, real TLS and real networks, and what the doctor says of each.
//
// # Vocabulary
//
// A case is one failure, with the command line that the doctor gets and the cause
// that it must name. A world is a few network namespaces with a router between
// them, whose firewall a case sets.
//
// # Parts
//
//   - lab_test.go: every scenario of package lab, and in a plain "go test" a part.
//   - servers_test.go: Postfix, Exim, OpenSMTPD and Dovecot misconfigured on purpose,
//     and servers that are none of mail: nginx, OpenSSH, proxies, a name server.
//   - network_test.go: ports dropped, refused and reset, dead hosts, broken IPv6 and
//     an MTU black hole, in network namespaces with nftables.
//
// "make doctor-matrix" prints the table: case, expected, found, confidence, seconds.
//
// # What it needs
//
// The lab part needs nothing. Servers need what package peers needs. Networks need
// root, ip of iproute2, and nft, which comes from the tree of peers. What is not
// there is skipped by name; where CI=true that is a failure, but for root, which a
// machine may not give.
//
// # Invariants
//
// The doctor is the built binary, run as its users do. It reaches nothing beyond
// this machine: names come from a name server of the test.
package doctor
