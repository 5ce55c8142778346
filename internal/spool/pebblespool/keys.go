package pebblespool

import (
	"bytes"
	"encoding/binary"

	"github.com/wellsent/wellsent/internal/spool"
)

// The first octets of keys. On disk since format 1; must not change.
const (
	keyVersion   = 'v'
	keyMessage   = 'm'
	keyBody      = 'b'
	keyRecipient = 'r'
	keyQueue     = 'q'
	keyOverdue   = 'o'
	keyLane      = 'l'
)

func messageKey(id spool.QueueID) []byte { return append(append([]byte{keyMessage}, id...), 0) }
func bodyKey(id spool.QueueID) []byte    { return append(append([]byte{keyBody}, id...), 0) }
func laneKey(name string) []byte         { return append([]byte{keyLane}, name...) }

func recipientPrefix(id spool.QueueID) []byte {
	return append(append([]byte{keyRecipient}, id...), 0)
}

func recipientKey(ref spool.Ref) []byte {
	return binary.BigEndian.AppendUint32(recipientPrefix(ref.ID), uint32(ref.Index))
}

// queuePrefix is the common begin of a destination's entries in one bucket.
func queuePrefix(d spool.Destination, bucket uint8) []byte {
	return append(append(append([]byte{keyQueue}, d...), 0), bucket)
}

func queueKey(d spool.Destination, bucket uint8, e entry) []byte {
	return e.appendTo(queuePrefix(d, bucket))
}

func overdueKey(e entry) []byte { return e.appendTo([]byte{keyOverdue}) }

// entry is the sorting part of a key of "q" or "o".
type entry struct {
	at    int64 // nanoseconds since 1970
	id    spool.QueueID
	index int32
}

func (e entry) appendTo(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.at))
	dst = append(append(dst, e.id...), 0)
	return binary.BigEndian.AppendUint32(dst, uint32(e.index))
}

// less reports whether e is served before f.
func (e entry) less(f entry) bool {
	switch {
	case e.at != f.at:
		return e.at < f.at
	case e.id != f.id:
		return e.id < f.id
	}
	return e.index < f.index
}

func (e entry) ref() spool.Ref { return spool.Ref{ID: e.id, Index: int(e.index)} }

// parseEntry reads the sorting part of a key; ok is false for what we did not
// write.
func parseEntry(b []byte) (e entry, ok bool) {
	if len(b) < 8+1+4 {
		return e, false
	}
	end := bytes.IndexByte(b[8:], 0)
	if end < 0 || len(b) != 8+end+1+4 {
		return e, false
	}
	e.at = int64(binary.BigEndian.Uint64(b))
	e.id = spool.QueueID(b[8 : 8+end])
	e.index = int32(binary.BigEndian.Uint32(b[8+end+1:]))
	return e, e.at >= 0 && e.index >= 0
}

// parseQueueKey reads a whole key of "q".
func parseQueueKey(k []byte) (d spool.Destination, bucket uint8, e entry, ok bool) {
	end := bytes.IndexByte(k, 0)
	if len(k) < 1 || end < 1 || len(k) < end+2 {
		return "", 0, e, false
	}
	e, ok = parseEntry(k[end+2:])
	return spool.Destination(k[1:end]), k[end+1], e, ok && k[end+1] < spool.Buckets
}

// maxIndex is the highest index of a recipient that a key can hold.
const maxIndex = 1<<31 - 1

// parseRecipientIndex reads the end of a key of "r".
func parseRecipientIndex(b []byte) (index int, ok bool) {
	if len(b) != 4 {
		return 0, false
	}
	n := binary.BigEndian.Uint32(b)
	return int(n), n <= maxIndex
}

// after returns the first key that does not begin with prefix.
func after(prefix []byte) []byte {
	k := bytes.Clone(prefix)
	for i := len(k) - 1; i >= 0; i-- {
		if k[i]++; k[i] != 0 {
			return k[:i+1]
		}
	}
	return nil
}
