// Package ldapauth asks an LDAP directory whether a password is right and what its
// owner may send as. It implements auth.Backend.
//
// # Vocabulary
//
// An entry is a person's record in the directory, known by its DN. To bind is to log
// in at the directory. The service account is the one by which entries are looked for.
//
// # States and invariants
//
// There are two ways to the entry of a user: its DN is made from a pattern, or it is
// searched by a filter; a filter that finds two is an error of the configuration and
// lets nobody in. The password is proved by a bind as the entry. An empty password is
// refused unasked, as a directory takes a bind with one for an anonymous one. Names of
// users are escaped wherever they go into a DN or a filter.
//
// Passwords go over TLS with a certificate for the directory's name: LDAPS, or
// StartTLS before anything else; in clear text to this machine only.
//
// # Failure
//
// A directory that is away, or says something that is no verdict on the password, is
// an error other than auth.ErrInvalid: the login is answered by "try again later". A
// question has one deadline for all its steps.
//
// # Concurrency
//
// Each question has a connection of its own; any number may be asked at once. The
// caller bounds them.
//
// # Standards
//
// RFC 4511 (LDAP), 4513 (binds, StartTLS), 4514 (DNs), 4515 (filters), 4516 (URLs).
package ldapauth
