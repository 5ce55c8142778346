// Package oidcauth verifies the access tokens with which clients log in, by the keys
// that their OpenID provider publishes. It implements auth.TokenVerifier.
//
// # Vocabulary
//
// The issuer is the provider's URL. The audience says for whom a token is, a scope
// what it allows, a claim who it is about.
//
// # States and invariants
//
// A token lets in only when its signature is by a key of the issuer, it has not run
// out, its audience is one of ours, it has every scope that is asked for, and its
// claim names the account. Tokens are JWTs as in RFC 9068; an opaque token cannot be
// verified here and is refused.
//
// The provider's metadata is read at the first login and then kept, its keys are read
// again when a token names another one, at most once in ten seconds: strangers must
// not make us ask at their pace.
//
// # Failure
//
// A provider that cannot be asked is no verdict on a token: the error is no
// *auth.TokenError, and the client is told to try later.
//
// # Concurrency
//
// All methods may be called at once. One goroutine asks for the metadata at a time.
//
// # Standards
//
// OpenID Connect Discovery 1.0, RFC 6750, 7517, 7519, 7628 §3.2.2, 9068.
package oidcauth
