// Package doctor finds out why mail cannot be sent by a server: it looks the name
// up, connects, secures the connection, logs in and asks about the envelope, and
// where one observation does not decide it makes experiments that do. Nothing is
// sent unless that is asked for.
//
// # Vocabulary
//
// A [Question] is what is asked. A probe is one thing that is tried; it returns
// facts and no opinion. [Facts] are all that was seen; what was not tried is not
// in them, which is another thing than a no. A [Finding] is a cause with what was
// seen, what was ruled out, and what to do. A [Report] is the answer.
//
// # Parts
//
//   - plan.go is pure: which probes come next, from the facts so far.
//   - run.go runs the probes of a round in parallel, until none comes next or the
//     time is over.
//   - judge*.go is pure: facts to findings, by a ladder on which names come before
//     the network, the network before the service, then TLS, the login and the
//     envelope. The first rung that has a finding hides those below it.
//   - grant.go is pure too: the answers of the identity provider, the token's own
//     claims and the server's replies to steps, of which the first that fails is the
//     finding. Whoever asks gives the functions that fetch the token.
//   - report.go, html.go and markdown.go show it.
//
// # Invariants
//
// A password or a token is sent only over TLS whose certificate was verified, only
// to a host that the user named or that belongs to the address's provider, and no
// more than twice a run and a few times in a quarter of an hour. None of them is in
// a Report.
//
// # Failure
//
// Run always returns a Report. When the time is over it tells what was learned
// until then.
//
// # Concurrency
//
// Run may be called by many goroutines at once; each call has its own state. All
// its goroutines have ended when it returns.
//
// # Standards
//
// RFC 5321 (SMTP), 3207 (STARTTLS), 8314 (TLS at once), 4954 (AUTH), 7628 (OAuth),
// 3501 and 1939 (IMAP and POP3, for one login), 7519 (JWT), 7208 and 7489 (SPF and
// DMARC, as warnings).
package doctor
