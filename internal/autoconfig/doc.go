// Package autoconfig finds the servers that take the outgoing mail of an address,
// and says of each answer where it came from and how far that can be trusted. It
// connects to no mail server and signs in nowhere; whether an answer is right is
// found out by package doctor, or by the Probe that the caller gives.
//
// # Vocabulary
//
// A [Source] is a place to look; [Settings] are what one source says. [Trust] is
// what would have to be forged to make a source lie. A file is the Thunderbird
// configuration format, version 1.1; Autodiscover is Microsoft's older form of it,
// in plain XML.
//
// # Order
//
// Sources are asked in steps, as mail programs do:
//
//  1. what the caller has configured
//  2. provider data, by mail domain
//  3. provider data, by MX host
//  4. SRV records of the domain
//  5. the domain's own file over HTTPS, then the central database where the caller
//     names one, then the files of the MX hosts' domains
//  6. Autodiscover over HTTPS
//  7. the domain's own file over HTTP, which anybody on the way can change
//  8. guesses: the usual names and ports
//
// The sources of a step are asked at once. The first step that answers ends the
// search, unless all answers are wanted, and so does a domain that does not exist;
// a guess is made only when there is no answer. Settings are returned in the order of their sources.
//
// # What leaves the machine
//
// Nothing, when an early step answers. Then DNS questions for the mail domain; the
// address, to the domain's own servers over HTTPS; the domain without the address,
// over HTTP and to the database. A domain that is a slip for a known one is not
// contacted at all unless the caller insists: the address would go to whoever
// registered it.
//
// # Invariants
//
// Hosts are names, never addresses, in lower case and as A-labels. No password is
// asked for or sent. Settings whose servers are in another registered domain than
// the mail domain say so, because DNS and files may be forged and the person must
// be asked before a password goes there (RFC 6186 §6); provider data are exempt.
//
// # Failure
//
// A source that fails or says nothing is recorded as [Tried] with its reason and
// is no error. Find fails for an address without a usable domain and when its
// context ends.
//
// # Limits
//
// A fetch takes 10 s, reads 256 KiB and follows five redirects, from HTTPS to
// HTTPS only and never to an address or this machine. XML is read without
// entities or anything external. A file has 32 servers at most.
//
// # Concurrency
//
// Find may be called by many goroutines at once. It returns when all it started
// has ended.
//
// # Standards
//
// RFC 2782, 6186 and 8314 §5.1 (SRV), draft-ietf-mailmaint-autoconfig (files),
// MS-OXDSCLI (Autodiscover).
package autoconfig
