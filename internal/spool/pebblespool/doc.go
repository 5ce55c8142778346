// Package pebblespool is the durable spool of one machine: a spool.Store in a
// directory, over the embedded store Pebble.
//
// # What is on disk
//
// Keys begin with one octet that says what they are. Ids are followed by NUL;
// numbers in keys are big-endian, so that keys sort as their values do.
//
//	v                                        format version, one octet
//	m id                                     envelope, header block, size and place of the body
//	b id                                     body of up to 256 KiB
//	r id index                               one recipient: parameters, destination, state
//	q destination bucket due id index        a queued recipient, in the order of service
//	o time id index                          a recipient to look at for its warning or expiry
//	l name                                   a lane's record
//
// A body above 256 KiB is the file bodies/ID: it is written and synced, then its
// directory, then the record is. On removal the record goes first and durably,
// then the file. Files without a record are removed at Open.
//
// The value of every record begins with the version of its form.
//
// # What is durable when
//
// Accept, Settle and SaveLane are synced when they return; the syncs of many
// callers are one. A Settle of nothing but deliveries is synced within 50 ms by a
// timer and at Close: a crash in between sends these messages again.
//
// # Memory
//
// For each destination and bucket the first few thousand entries of "q" are kept in
// order (a window); what lies behind is read when the window is used up. An
// iterator over the queue's head would otherwise have to cross all that was
// delivered since the last compaction. Claims are in memory only.
//
// Bodies are kept in Pebble's values without value separation: a message that is
// delivered while its memtable lives is never written to a table at all, and the
// log is written once in either case.
//
// # Failure
//
// Below the floor of free space Accept and Room return spool.ErrFull; a ballast
// file is given up to let deliveries be settled, and made again later. When the
// log cannot be written nevertheless, the store is broken: every call returns
// spool.ErrBroken, nothing is acknowledged any more, and only a new process may
// open the directory.
//
// # Concurrency
//
// Lock order: settle, then mu. No lock is held during a sync or a callback.
package pebblespool
