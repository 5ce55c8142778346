// Package allowance counts what has been handed to a provider, and says how much
// more may be handed over without passing its limits. It is pure: the instants are
// given, and what is to be kept between processes is a value.
//
// # Vocabulary
//
// A [Bound] is one limit: so many messages, or recipients, in any minute, hour or
// 24 hours. A spend is one mail transaction: a message and its recipients. It is
// in flight from [Log.Take] until [Log.Done], which says that it was made, or
// [Log.Back], which says that it never reached MAIL.
//
// # Invariants
//
// For each bound N in W there is no interval of length W in which more than N were
// handed over, wherever the interval begins, and however the provider counts: by
// the clock's minute, by the last sixty seconds, or by something in between. The
// provider counts a transaction at an instant that we do not see, between Take and
// Done. So a spend counts from Take on, as long as it is in flight, and then until
// W has passed since Done. Suppose that N+1 were counted within W, and take the
// one for which Take was called last: each of the others was counted less than W
// before that, so had its Done less than W before, or was in flight; Take then
// found N, and refused.
//
// A margin is added to W, for clocks that do not run alike, and for providers that
// count in whole seconds.
//
// # Crash
//
// A [Record] holds what is known to have been spent, and under Open what was in
// flight when it was written together with what may be spent before the next one
// is written. Whoever keeps records writes one before more is spent than the last
// one has under Open; [Restore] counts all of Open as spent at the instant of the
// restoration. After a crash each spend is therefore counted, at its instant or
// at a later one: less may be handed over than the provider would take, never
// more. What a crash costs is bounded by [Limits.Ahead], about a hundredth of a
// day's allowance.
//
// The instants of a record are those of the wall clock. Where that was set forward
// between two processes, spends seem older than they are; nothing here can see it.
// An instant more than a minute in the future is taken for one in a minute.
//
// # Bounds
//
// Spends less than 1/288 of a window apart (5 minutes of a day) are kept as one,
// with the instant of the last. So a log has at most 288 entries for each window,
// however much is sent.
//
// # Concurrency
//
// A Log is used under its owner's lock.
package allowance
