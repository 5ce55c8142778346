// Package oauthtest runs an OpenID provider on loopback for tests: the one of
// github.com/zitadel/oidc, with its storage in memory, its real endpoints and real
// TLS, and a person who signs in. What a test needs beyond that is bolted on from
// outside: a clock that is wrong, an outage, a life of tokens in seconds.
//
// # Vocabulary
//
// A [Provider] serves the issuer, whose clients are [Mailer] (a person's mail
// program, refresh tokens that are replaced at each use), [Program] (client
// credentials by secret) and [Keyed] (by a signed assertion). [User] is the person.
//
// # Failure
//
// Only what the test has caused.
//
// # Concurrency
//
// Its methods may be called by many goroutines at once.
//
// # Standards
//
// Those of package oauth, from the other side.
package oauthtest
