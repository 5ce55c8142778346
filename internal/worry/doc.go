// Package worry judges what will stop mail soon or has: paused lanes, mail that
// waits too long, dead letters, certificates and secrets that end, routes without
// a token, mail that goes by a stand-in, a full disk. It is given facts and asks nobody; who has the facts calls it, and
// `wellsent check` prints what it says.
//
// # Vocabulary
//
// A [Worry] is one thing that somebody must look at, with what to do about it. It
// is of a [Kind], and either stops mail now or will.
//
// # Another kind of worry
//
// It takes a Kind here, a pure function from its facts to worries, and one line in
// package daemon, which collects them.
//
// # Invariants
//
// The same facts at the same instant give the same worries. What is no worry gives
// none: a list without worries means that all that was looked at is well.
//
// # Failure
//
// None of its own.
//
// # Concurrency
//
// All functions are pure.
package worry
