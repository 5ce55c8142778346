package upstreamauth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wellsent/wellsent/internal/auth"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtpclient"
)

// Options are the server and what is remembered of its answers.
type Options struct {
	Hostname string   // ours, for EHLO
	Host     string   // of upstream, whose certificate must be for it
	Port     int      //
	Implicit bool     // TLS at once instead of STARTTLS
	Domains  []string // names in these domains alone are asked about, in lower case; empty: all

	Addresses func(ctx context.Context, host string) ([]netip.Addr, error)
	TLSConfig *tls.Config    // nil: the defaults
	Roots     *x509.CertPool // nil: the system's
	Timeouts  smtpclient.Timeouts

	Remember     time.Duration // how long a right password lets in unasked; 0: DefaultRemember
	RememberAway time.Duration // how long it does when upstream is away; 0: DefaultRememberAway
	Refusals     int           // of one name in BudgetTime; 0: DefaultRefusals

	Now func() time.Time // nil: time.Now
}

// The defaults, and the bounds that are not set.
const (
	DefaultRemember     = time.Hour        // a changed password is noticed within it
	DefaultRememberAway = 72 * time.Hour   // a week-end
	DefaultRefusals     = 3                // Exchange Online and Gmail lock after ten or more; others after five
	BudgetTime          = 15 * time.Minute // the shortest lock-out that is common
	allRefusals         = 30               // of all names in BudgetTime
	maxNames            = 10000            // that are remembered
	askTimeout          = 20 * time.Second // a client waits longer than that for the answer to AUTH
)

// Backend is one upstream server.
type Backend struct {
	o      Options  // immutable
	secret [32]byte // immutable

	mu    sync.Mutex // guards the fields below
	names map[string]*name
	all   []time.Time // refusals of all names
}

// digest stands for a password of a name.
type digest [sha256.Size]byte

// name is what is known of one user name.
type name struct {
	right   digest    // what upstream has taken last; zero: nothing
	taken   time.Time // when
	refused []refusal // and asked about: within BudgetTime
}

type refusal struct {
	at    time.Time
	what  digest
	under chan struct{} // the question is under way; end closes it, and it is nil then
}

var _ auth.Backend = (*Backend)(nil)

// New returns a Backend.
func New(o Options) *Backend {
	if o.Remember == 0 {
		o.Remember = DefaultRemember
	}
	if o.RememberAway == 0 {
		o.RememberAway = DefaultRememberAway
	}
	if o.Refusals == 0 {
		o.Refusals = DefaultRefusals
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	b := &Backend{o: o, names: map[string]*name{}}
	_, _ = rand.Read(b.secret[:]) // never fails
	return b
}

// Check implements auth.Backend. It returns *auth.SlowDown when the budget is spent.
func (b *Backend) Check(ctx context.Context, user, password string) (*auth.Account, error) {
	_, domain, _ := strings.Cut(auth.Canonical(user), "@")
	if user == "" || password == "" || len(b.o.Domains) > 0 && !slices.Contains(b.o.Domains, domain) {
		return nil, auth.ErrInvalid
	}
	account := auth.Lent(user)
	what := b.digest(account.Name, password)
	// Not for ever: a name that is forgotten for want of room takes its question along.
	waiting, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	for {
		known, under, err := b.begin(account.Name, what)
		switch {
		case err != nil:
			return nil, err
		case known:
			return account, nil
		}
		if under == nil {
			break
		}
		select {
		case <-under: // its answer is ours
		case <-waiting.Done():
			return nil, context.Cause(waiting)
		}
	}
	failure := b.ask(ctx, user, password)
	if err := b.end(account.Name, what, failure); err != nil {
		return nil, err
	}
	return account, nil
}

func (b *Backend) digest(user, password string) digest {
	h := hmac.New(sha256.New, b.secret[:])
	h.Write([]byte(user + "\x00" + password)) // neither has NUL in it
	return digest(h.Sum(nil))
}

// begin decides whether upstream is asked: known means that it need not be, under is
// the same question where it is under way, and a question that may be asked is counted.
func (b *Backend) begin(user string, what digest) (known bool, under <-chan struct{}, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.o.Now()
	n := b.names[user]
	if n == nil {
		if len(b.names) >= maxNames {
			b.forgetLocked(now)
		}
		n = &name{}
		b.names[user] = n
	}
	n.refused = slices.DeleteFunc(n.refused, func(r refusal) bool { return now.Sub(r.at) >= BudgetTime })
	b.all = slices.DeleteFunc(b.all, func(at time.Time) bool { return now.Sub(at) >= BudgetTime })
	right := n.right == what && !n.taken.IsZero()
	same := slices.IndexFunc(n.refused, func(r refusal) bool { return r.what == what })
	until := time.Time{}
	switch {
	case right && now.Sub(n.taken) < b.o.Remember:
		return true, nil, nil
	case same >= 0 && n.refused[same].under != nil:
		return false, n.refused[same].under, nil
	case same >= 0:
		return false, nil, fmt.Errorf("%w: upstream has refused it a moment ago", auth.ErrInvalid)
	case len(n.refused) >= b.o.Refusals:
		until = n.refused[0].at.Add(BudgetTime)
	case len(b.all) >= allRefusals:
		until = b.all[0].Add(BudgetTime)
	}
	switch {
	case until.IsZero():
	case right && now.Sub(n.taken) < b.o.RememberAway:
		return true, nil, nil
	default:
		return false, nil, &auth.SlowDown{Until: until}
	}
	n.refused = append(n.refused, refusal{at: now, what: what, under: make(chan struct{})})
	b.all = append(b.all, now)
	return false, nil, nil
}

// end takes upstream's answer and returns ours.
func (b *Backend) end(user string, what digest, failure *evidence.Error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.o.Now()
	n := b.names[user]
	if n == nil { // forgotten meanwhile
		n = &name{}
		b.names[user] = n
	}
	mine := slices.IndexFunc(n.refused, func(r refusal) bool { return r.under != nil && r.what == what })
	if mine >= 0 {
		defer close(n.refused[mine].under)
	}
	if refused(failure) {
		if mine >= 0 {
			n.refused[mine].under = nil
		}
		if n.right == what {
			n.right, n.taken = digest{}, time.Time{} // it was changed upstream
		}
		return fmt.Errorf("%w: upstream says %s", auth.ErrInvalid, failure.Reply.String())
	}
	if mine >= 0 { // no refusal after all
		at := n.refused[mine].at
		n.refused = slices.Delete(n.refused, mine, mine+1)
		if i := slices.Index(b.all, at); i >= 0 {
			b.all = slices.Delete(b.all, i, i+1)
		}
	}
	switch {
	case failure == nil:
		n.right, n.taken = what, now
		return nil
	case n.right == what && !n.taken.IsZero() && now.Sub(n.taken) < b.o.RememberAway:
		return nil
	}
	return fmt.Errorf("upstream %s: %w", b.o.Host, failure)
}

// forgetLocked makes room: for a name about which nothing is remembered that counts,
// else for any.
func (b *Backend) forgetLocked(now time.Time) {
	any := ""
	for k, n := range b.names {
		last := len(n.refused) == 0 || now.Sub(n.refused[len(n.refused)-1].at) >= BudgetTime
		if last && now.Sub(n.taken) >= b.o.RememberAway {
			delete(b.names, k)
			return
		}
		any = k
	}
	delete(b.names, any)
}

// refused reports whether a failure is upstream's verdict on name and password.
func refused(e *evidence.Error) bool {
	if e == nil || e.Stage != evidence.StageAuth || e.Origin != evidence.OriginRemote {
		return false
	}
	switch e.Reply.Code {
	case 525, 534, 535, 550, 554: // RFC 4954 §6, 5248; the last two are of providers that take no passwords any more
		return true
	}
	return false
}

// ask logs in upstream and leaves.
func (b *Backend) ask(ctx context.Context, user, password string) *evidence.Error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	addresses, err := b.o.Addresses(ctx, b.o.Host)
	if err == nil && len(addresses) == 0 {
		err = errors.New("it has no address")
	}
	if err != nil {
		return &evidence.Error{Origin: evidence.OriginNetwork, Stage: evidence.StageResolve, Scope: evidence.ScopeHost, Host: b.o.Host, Err: err}
	}
	c := smtpclient.New(smtpclient.Options{Hostname: b.o.Hostname, Host: b.o.Host, Port: b.o.Port, Addresses: addresses, Implicit: b.o.Implicit,
		Policy: smtpclient.TLSVerified, TLSConfig: b.o.TLSConfig, Roots: b.o.Roots, User: user, Password: password, Timeouts: b.o.Timeouts})
	failure := c.Open(ctx)
	c.Close() // what it says to QUIT changes nothing
	return failure
}
