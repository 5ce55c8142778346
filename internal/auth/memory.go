package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"net/netip"
	"sync"
	"time"
)

// The bounds of what is remembered of logins.
const (
	rememberFor   = 10 * time.Minute // of a login that went well or not; bounds how long a stolen core dump is of use
	maxRemembered = 4096             // logins; more accounts than this hash now and then
	maxCulprits   = 16384            // account and address pairs with wrong passwords
)

// proof stands for one password of one account with one stored hash. It is keyed
// by a secret of this process, so that memory holds nothing that a password could
// be guessed from elsewhere; and as the stored hash is part of it, a changed
// password makes all proofs of the old one worthless.
type proof [sha256.Size]byte

// memory is what is remembered of recent logins: which passwords were right, so
// that a busy device is not hashed at each message, and which were wrong, so that
// a forgotten device that repeats one stale password all day costs nothing and
// locks nobody out.
type memory struct {
	secret [32]byte // immutable

	mu    sync.Mutex
	right map[proof]time.Time // until when
	wrong map[proof]time.Time // until when
}

func newMemory() *memory {
	m := &memory{right: map[proof]time.Time{}, wrong: map[proof]time.Time{}}
	_, _ = rand.Read(m.secret[:]) // never fails
	return m
}

func (m *memory) proof(a *Account, name, password string) proof {
	h := hmac.New(sha256.New, m.secret[:])
	hash := ""
	if a != nil {
		hash = a.Hash
	}
	for _, s := range []string{name, hash, password} {
		var n [4]byte
		n[0], n[1], n[2], n[3] = byte(len(s)>>24), byte(len(s)>>16), byte(len(s)>>8), byte(len(s))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	return proof(h.Sum(nil))
}

// recall returns what is known of p.
func (m *memory) recall(p proof, now time.Time) (right, wrong bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return now.Before(m.right[p]), now.Before(m.wrong[p])
}

func (m *memory) remember(p proof, right bool, now time.Time) {
	if right {
		m.rememberRight(p, now)
	} else {
		m.rememberWrong(p, rememberFor, now)
	}
}

func (m *memory) rememberRight(p proof, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	keep(m.right, p, now, rememberFor)
}

func (m *memory) rememberWrong(p proof, wait time.Duration, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	keep(m.wrong, p, now, wait)
}

func keep(known map[proof]time.Time, p proof, now time.Time, wait time.Duration) {
	if len(known) >= maxRemembered {
		makeRoom(known, now, func(t time.Time) time.Time { return t })
	}
	known[p] = now.Add(wait)
}

// makeRoom drops what has ended, and when nothing has, an arbitrary entry: which
// one does not matter, as it only costs a hash.
func makeRoom[K comparable, V any](m map[K]V, now time.Time, end func(V) time.Time) {
	before := len(m)
	for k, v := range m {
		if !now.Before(end(v)) {
			delete(m, k)
		}
	}
	if len(m) < before {
		return
	}
	for k := range m {
		delete(m, k)
		return
	}
}

// freeTries is how many different wrong passwords one account may be given from
// one address before logins are slowed down: enough for a person who tries the
// three passwords they have, twice.
const freeTries = 5

// pauses are the waits after each further wrong password; the last repeats. At
// that pace an address tries about 100 passwords a day.
var pauses = []time.Duration{
	time.Second,
	5 * time.Second,
	30 * time.Second,
	2 * time.Minute,
	5 * time.Minute,
	15 * time.Minute,
}

// forgetAfter is the quiet time after which an address starts anew.
const forgetAfter = time.Hour

// culprit is one account as tried from one address. Not the account alone, for
// then anybody could lock its owner out; not the address alone, for a whole office
// may be behind it.
type culprit struct {
	account string       // canonical name, known or not
	from    netip.Prefix // one IPv4 address, or one IPv6 /64
}

type record struct {
	tries int
	until time.Time // logins are refused before
	last  time.Time
}

// brake slows down whoever guesses passwords.
type brake struct {
	mu      sync.Mutex
	records map[culprit]record
}

func newBrake() *brake { return &brake{records: map[culprit]record{}} }

func culpritOf(account string, addr netip.Addr) culprit {
	bits := 32
	addr = addr.Unmap()
	if addr.Is6() {
		bits = 64 // what one customer is given; RFC 6177
	}
	p, err := addr.WithZone("").Prefix(bits)
	if err != nil {
		p = netip.Prefix{}
	}
	return culprit{account, p}
}

// refusedUntil returns until when logins of c are refused; the zero time when
// they are not.
func (b *brake) refusedUntil(c culprit, now time.Time) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := b.records[c]; now.Before(r.until) {
		return r.until
	}
	return time.Time{}
}

// wrong counts one wrong password.
func (b *brake) wrong(c culprit, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, ok := b.records[c]
	if !ok && len(b.records) >= maxCulprits {
		b.makeRoomLocked(now)
	}
	if now.Sub(r.last) > forgetAfter {
		r = record{}
	}
	r.tries++
	r.last = now
	if n := r.tries - freeTries; n >= 0 {
		r.until = now.Add(pauses[min(n, len(pauses)-1)])
	}
	b.records[c] = r
}

// makeRoomLocked drops records that have ended, then those whose guesses are not held
// up: one wrong password for each of many names must not set free who is. It drops
// many at once, as it looks at all of them.
func (b *brake) makeRoomLocked(now time.Time) {
	free := 0
	drop := func(doomed func(record) bool) {
		for c, r := range b.records {
			if free < maxCulprits/8 && doomed(r) {
				delete(b.records, c)
				free++
			}
		}
	}
	drop(func(r record) bool { return !now.Before(r.last.Add(forgetAfter)) })
	drop(func(r record) bool { return r.tries < freeTries })
	if free == 0 {
		drop(func(record) bool { return true })
	}
}

// right forgets what c did wrong.
func (b *brake) right(c culprit) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.records, c)
}
