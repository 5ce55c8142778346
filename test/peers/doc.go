// Package peers fetches and runs other people's mail software for tests: Postfix
// and Exim as servers, swaks, curl, msmtp and Python as clients.
//
// Nothing is installed. Debian packages are fetched with "apt-get download" into
// a cache directory, unpacked there with "dpkg -x", and run from there: no
// maintainer script runs, no service is made or touched, the machine's own mail
// server, users and /etc stay as they are. The cache is .cache/peers of the
// repository, or the directory that WELLSENT_PEERS names.
//
// # Vocabulary
//
// The tree is the directory of unpacked packages. A peer is a server of the tree
// that runs with a configuration and a spool of its own in a temporary directory.
// A program is a client, the machine's own where it has one, else the tree's.
//
// # What it needs
//
// Linux, apt-get, dpkg and a Debian release that has the packages. Libraries that
// the machine lacks come from packages too, found by following dependencies.
// Where the machine has no package lists, or old ones, "apt-get update" runs with
// a state directory inside the cache.
//
// Postfix's master must be root, and it changes to two other users. As root it is
// started directly and uses two that every Debian has, news for mail_owner and
// uucp for setgid_group, instead of postfix and postdrop. Any other user needs a
// user namespace with a range of ids: unshare of util-linux 2.38, newuidmap, and
// a line for the user in /etc/subuid and /etc/subgid. Exim runs as whoever runs
// the tests; as root it uses the user news.
//
// What is not there is an *UnavailableError: Need skips the test then, by name,
// or fails it where CI=true.
//
// # States and invariants
//
// A tree is complete or absent: it is unpacked beside its place and renamed. A
// peer listens when Start returns and its processes have ended when Stop returns.
//
// # Failure
//
// A peer that ends by itself is an error of Start with the end of its log. Peers
// are in a process group of their own, and the kernel ends them should the test
// process die.
//
// # Concurrency
//
// Processes share one cache by a lock on a file in it, held while packages are
// fetched. Peers are independent of each other.
//
// # Standards
//
// Postfix logs in by the Dovecot authentication protocol, version 1.1, of which
// this package has the server's side for one account.
package peers
