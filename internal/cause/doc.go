// Package cause is the catalogue of causes of mail that will not go out: for
// each a stable id, its meaning in plain words, who must act, whether sending
// again helps, what each person who can do something should do, and which other
// causes explain it away. It is data, in data/FAMILY.toml; everything that speaks
// to a person speaks through it, and docs/causes is written from it (command
// pages).
//
// # The form of a text
//
// Title, Why and the steps of remedies are one paragraph each. A text may hold
// {host} {port} {user} {domain} {sender} {recipient}, in whose place [Cause.Fill]
// puts the facts of a case, and where a fact is missing a general word. Two more
// forms make a text read well without its facts:
//
//	[on port {port}]             left out when the port is not known
//	[{user}|your user name]      the second where the first lacks a fact
//	`dig MX {domain}`            a command: DOMAIN where the fact is missing
//
// Brackets inside a command stand for themselves.
//
// The steps of an OAuth token's way, in steps/PROVIDER.toml, are texts of the same
// form with {app} {tenant} {mailbox} {object} {route} beside those; see [Step].
//
// # Invariants
//
// An id never changes its meaning and is never used again for another one.
// DependsOn has no cycles. A fact that could end a command and begin another is
// never put into one: facts come from other people's servers.
package cause

//go:generate go run ./pages ../../docs/causes
