package pebblespool

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/spool"
)

// formatVersion is the version of the directory: keys and layout. 1: the first.
const formatVersion = 1

// recordVersion is the version of the form of records. 1: the first.
const recordVersion = 1

// deviceVersion is the form of "m" that ends in the device's name. Messages of no
// device keep the first form. On disk since format 1; must not change.
const deviceVersion = 2

// errCorrupt is a record that cannot be read. The caller adds whose it is.
var errCorrupt = errors.New("damaged record")

// damaged reports whether err says that something on the disk is not as it was
// written, so that another message may well be readable.
func damaged(err error) bool {
	return errors.Is(err, errCorrupt) || err != nil && pebble.IsCorruptionError(err)
}

// writer appends values in the form of records: varints, and strings with their
// length before them.
type writer struct{ b []byte }

func (w *writer) uint(n uint64)    { w.b = binary.AppendUvarint(w.b, n) }
func (w *writer) int(n int)        { w.uint(uint64(n)) }
func (w *writer) string(s string)  { w.uint(uint64(len(s))); w.b = append(w.b, s...) }
func (w *writer) bytes(s []byte)   { w.uint(uint64(len(s))); w.b = append(w.b, s...) }
func (w *writer) time(t time.Time) { w.uint(uint64(spool.Nanos(t))) }
func (w *writer) bool(b bool)      { w.int(map[bool]int{true: 1}[b]) }
func (w *writer) version()         { w.b = append(w.b, recordVersion) }

// reader takes them off again. After the first fault all it returns is zero.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uint() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) int() int {
	n := r.uint()
	if n > 1<<40 {
		r.bad = true
		return 0
	}
	return int(n)
}

func (r *reader) bytes() []byte {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	s := r.b[:n]
	r.b = r.b[n:]
	return s
}

func (r *reader) string() string { return string(r.bytes()) }
func (r *reader) bool() bool     { return r.uint() != 0 }

func (r *reader) time() time.Time {
	n := r.uint()
	if n == 0 || n > 1<<62 {
		r.bad = r.bad || n != 0
		return time.Time{}
	}
	return time.Unix(0, int64(n))
}

func (r *reader) version() {
	if len(r.b) == 0 || r.b[0] != recordVersion {
		r.bad, r.b = true, nil
		return
	}
	r.b = r.b[1:]
}

// done returns errCorrupt when anything was wrong or is left over.
func (r *reader) done() error {
	if r.bad || len(r.b) > 0 {
		return errCorrupt
	}
	return nil
}

// record is the value of "m": what never changes about a message.
type record struct {
	envelope   spool.Envelope
	header     []byte
	bodySize   int64
	bodyInFile bool
	recipients int // as accepted
}

func (m *record) encode() []byte {
	e := &m.envelope
	w := writer{b: make([]byte, 0, 160+len(m.header))}
	if e.Device == "" {
		w.version()
	} else {
		w.b = append(w.b, deviceVersion)
	}
	w.string(string(e.From))
	w.uint(uint64(e.Params.Size))
	w.string(string(e.Params.Body))
	w.bool(e.Params.SMTPUTF8)
	w.string(string(e.Params.Return))
	w.string(e.Params.EnvelopeID)
	w.string(e.Params.Auth)
	w.time(e.Received)
	w.string(e.Account)
	w.string(e.Listener)
	w.string(e.Peer)
	w.uint(uint64(m.bodySize))
	w.bool(m.bodyInFile)
	w.int(m.recipients)
	w.bytes(m.header)
	if e.Device != "" {
		w.string(e.Device)
	}
	return w.b
}

// decodeRecord reads a value of "m". The result owns its memory.
func decodeRecord(b []byte) (*record, error) {
	r := reader{b: b}
	withDevice := len(b) > 0 && b[0] == deviceVersion
	if withDevice {
		r.b = b[1:]
	} else {
		r.version()
	}
	m := &record{}
	e := &m.envelope
	e.From = smtp.Path(r.string())
	e.Params.Size = int64(r.uint())
	e.Params.Body = smtp.BodyType(r.string())
	e.Params.SMTPUTF8 = r.bool()
	e.Params.Return = smtp.DSNReturn(r.string())
	e.Params.EnvelopeID = r.string()
	e.Params.Auth = r.string()
	e.Received = r.time()
	e.Account = r.string()
	e.Listener = r.string()
	e.Peer = r.string()
	m.bodySize = int64(r.uint())
	m.bodyInFile = r.bool()
	m.recipients = r.int()
	m.header = append([]byte{}, r.bytes()...)
	if withDevice {
		e.Device = r.string()
	}
	return m, r.done()
}

// states are the numbers of states on disk since format 1; must not change.
var states = []spool.State{spool.StateQueued, spool.StateHeld, spool.StateDead, spool.StateDelivered,
	spool.StateFailed, spool.StateExpired, spool.StateCancelled}

func encodeRecipient(x *spool.Recipient) []byte {
	w := writer{b: make([]byte, 0, 128)}
	w.version()
	w.string(string(x.Path))
	w.uint(uint64(x.Params.Notify))
	w.string(x.Params.OriginalRecipient)
	w.string(string(x.Destination))
	for i, s := range states {
		if s == x.State {
			w.int(i)
		}
	}
	w.int(x.Attempts)
	w.time(x.Next)
	w.time(x.WarnAt)
	w.time(x.ExpireAt)
	w.bool(x.Last != nil)
	if a := x.Last; a != nil {
		w.time(a.At)
		w.string(string(a.Stage))
		w.string(a.Host)
		w.string(a.Reply)
		w.string(a.Detail)
		w.string(string(a.Cause))
		w.bool(a.Unsure)
	}
	return w.b
}

// decodeRecipient reads a value of "r". The result owns its memory.
func decodeRecipient(b []byte, index int) (*spool.Recipient, error) {
	r := reader{b: b}
	r.version()
	x := &spool.Recipient{Index: index}
	x.Path = smtp.Path(r.string())
	x.Params.Notify = smtp.Notify(r.uint())
	x.Params.OriginalRecipient = r.string()
	x.Destination = spool.Destination(r.string())
	if s := r.int(); s < len(states) {
		x.State = states[s]
	} else {
		return nil, errCorrupt
	}
	x.Attempts = r.int()
	x.Next = r.time()
	x.WarnAt = r.time()
	x.ExpireAt = r.time()
	if r.bool() {
		x.Last = &spool.Attempt{At: r.time(), Stage: evidence.Stage(r.string()), Host: r.string(), Reply: r.string(),
			Detail: r.string(), Cause: cause.ID(r.string()), Unsure: r.bool()}
	}
	return x, r.done()
}
