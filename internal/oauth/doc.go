// Package oauth gets the access tokens with which a route logs in: from an
// identity provider by one of five grants, or from a command. It keeps them, and
// what they are renewed with, encrypted on disk, and renews them ahead of time.
// What a token is used for is the business of those who ask for it.
//
// # Vocabulary
//
// [Settings] are one route's: a provider, a [Grant] and the files with its
// secrets. A [Source] gives out the route's tokens to all its connections;
// [Sources] are those of all routes. An [Audience] is what a token is for: the
// same sign-in gives one for SMTP and another for Microsoft Graph. A [Login] is a
// person's sign-in, from which a refresh token results. [Status] is what is known
// of a source, for people and for warnings; it holds no secret.
//
// # States
//
// A source without a refresh token, where its grant needs one, is signed out: it
// returns [ErrSignedOut] until somebody signs in. Otherwise a token of it is
//
//	fresh    given out as it is
//	due      given out, and renewed meanwhile
//	spent    renewed while all who want one wait for the same answer
//	refused  by a server: spent, whatever its age; one that is refused within
//	         moments of its issue is not replaced, which could go on for ever
//
// # Invariants
//
// A source asks its provider once at a time, and of several processes one uses a
// refresh token at a time. A renewed refresh token is on disk
// before it is used. A refresh token goes only to the token endpoint, client and
// user that it was issued for: with other settings the source is signed out.
// Secrets go only over verified TLS or to this machine, and never after a
// redirect. No error, log line or Status holds a secret.
//
// # Files
//
//	DATA/oauth.key           32 random octets in base64, mode 0600
//	DATA/oauth/ROUTE.sealed  one route's state, AES-256-GCM, mode 0600
//	DATA/oauth/ROUTE.lock    held while that is written
//	DATA/oauth/ROUTE.turn    held while a refresh token is used
//
// The systemd credential wellsent.key takes the key file's place where there is
// one; what was written with the key file is read still. A file is replaced in
// one step and looked at on each use, so a running server sees a sign-in at once.
//
// # Failure
//
// An [Error] says whether it may pass by itself: the network, a 5yz, a 429. What
// the provider refuses stays until somebody acts. After either the provider is
// left alone for moments. After a crash what is on disk is used; a refresh token
// that the provider renewed in the last instant before may be lost, and then
// somebody must sign in again.
//
// Times are counted from the answer's arrival by the local clock, so that a clock
// that is wrong does no harm; the Date field of the answers tells by how much it
// is, and signed assertions are dated by that where the provider refuses ours.
//
// # Concurrency
//
// A Source may be used by many goroutines at once. Renewals run in goroutines of
// their own, which Sources.Close ends and awaits.
//
// # Standards
//
// RFC 6749 (OAuth 2.0), 7521 and 7523 (assertions), 7636 (PKCE), 8252 (native
// programs), 8414 and OpenID Connect Discovery, 8628 (device code), 9700 (its
// best practice); Microsoft's certificate credentials and managed identities;
// Google's service accounts.
package oauth
