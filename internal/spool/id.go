package spool

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"sync/atomic"
	"time"
)

// idAlphabet is Crockford's base 32 in lower case: digits sort before letters,
// and no two characters look or sound alike.
const idAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// idLength is 11 characters of time in microseconds and 5 of chance.
const idLength = 16

var lastID atomic.Int64 // microseconds of the last id made by this process

// NewQueueID returns an id that no message has had: the time in microseconds, and
// 25 random bits that keep the ids of several processes apart. The ids of one
// process sort in the order in which they were made.
func NewQueueID() QueueID {
	var us int64
	for {
		last := lastID.Load()
		us = max(time.Now().UnixMicro(), last+1)
		if lastID.CompareAndSwap(last, us) {
			break
		}
	}
	var chance [4]byte
	rand.Read(chance[:])
	var id [idLength]byte
	fill(id[:11], uint64(us))
	fill(id[11:], uint64(binary.BigEndian.Uint32(chance[:])))
	return QueueID(id[:])
}

func fill(dst []byte, n uint64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = idAlphabet[n&31]
		n >>= 5
	}
}

// maxIDLength bounds ids, which are parts of keys and file names, in octets.
const maxIDLength = 64

// ErrBadID is an id that cannot be kept.
var ErrBadID = errors.New("spool: a queue id is 1 to 64 of 0-9, a-z")

// Check returns ErrBadID when id cannot be the id of a message.
func (id QueueID) Check() error {
	if len(id) == 0 || len(id) > maxIDLength {
		return ErrBadID
	}
	for i := 0; i < len(id); i++ {
		if c := id[i]; !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z') {
			return ErrBadID
		}
	}
	return nil
}
