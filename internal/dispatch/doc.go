// Package dispatch decides when each message in the spool is tried, and what its
// outcome leads to. It takes due recipients from the store, gives them to a
// conversation of package deliver, and settles what became of them, the
// notification to the sender in the same step. How one conversation goes is
// deliver's business, how a message is kept is the store's.
//
// # Vocabulary
//
// A lane is all mail for one destination: a smart host's route, or one domain of
// a route by MX. A worker is one conversation of a lane. What an attempt leads to
// is an [Action]; one pure function chooses it, in action.go. An account is what
// one login may do at its provider; lanes of routes with the same host and user
// share it, and a lane by MX whose pace is bounded has one of its own.
//
// # States of a lane
//
// Open: workers claim what is due, as many as its concurrency allows, which grows
// on success and halves on trouble. Slow: the other side asked for less; no more
// than one worker, and a wait. Down: the host cannot be reached; one probe at a
// time, by the timetable. Paused: our own fault, such as a refused password; one
// probe after 5, 15, 30 minutes and then every hour, and the clock of its
// messages' expiry stands still.
//
// What happens to a lane is written to the lane's record and never to its
// messages. Records outlive the process. Of a lane by MX that is open, and that has
// no mail, nothing is remembered.
//
// # Reload
//
// Which lane mail is in follows from the present routes. A worker moves what it
// takes; what nobody takes, as its lane does not go, is moved when the routes have
// changed, and at the start. The time of a pause goes with the mail.
//
// # Pace
//
// A message is taken from its account before its transaction begins, in one step
// with the question whether it may be, and counts until a window's length after
// its end; see package allowance. Nothing is over a bound, whatever workers,
// lanes, servers with several transactions a message, and kills do. A message
// with more recipients than there is room for is split; the rest waits. What waits
// for a pace counts no attempt, expires as all mail does, and says what it waits
// for. What the provider refuses all the same is about others who use the account:
// one connection fewer, a longer gap, or a wait until there is room again.
//
// # Failure and crash
//
// Nothing is known only to this package: after a crash every message that was not
// settled is due again. When the store breaks, Run ends. What an account has spent
// is written ahead: before more is taken than its record allows for, a new one is
// durable. A crash costs what that had ahead and what was in flight, and no more
// can be sent than the provider allows.
//
// # Concurrency
//
// One goroutine a worker, ended when idle; one for the timetable; one for
// warnings and expiry; after a reload one that moves mail. A lane's fields are guarded by its mu, an account's by its
// own; the order is the dispatcher's mu, a lane's, an account's. No lock is held
// during a delivery or a call of the store.
//
// # Standards
//
// RFC 5321 §4.5.4 (retry), §6.1 (notification), RFC 3461 (DSN).
package dispatch
