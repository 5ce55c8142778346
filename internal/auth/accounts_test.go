package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var laptop = netip.MustParseAddr("192.0.2.7")

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// newAccounts returns accounts with an empty file and configured ones, whose
// passwords are "pw-" and the name.
func newAccounts(t *testing.T, configured ...string) (*Accounts, *File, *clock) {
	t.Helper()
	f, err := OpenFile(filepath.Join(t.TempDir(), FileName))
	if err != nil {
		t.Fatal(err)
	}
	f.cost, f.rounds = cheap, minIterations
	f.Keep(Kept{})
	var list []Account
	for _, name := range configured {
		hash, err := HashPassword("pw-"+name, cheap)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, Account{Name: name, Hash: hash, Addresses: []string{name}})
	}
	a, err := New(f, list)
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{now: time.Unix(1_700_000_000, 0)}
	a.now = c.Now
	return a, f, c
}

func TestLogin(t *testing.T) {
	a, f, _ := newAccounts(t, "ann@example.org")
	if err := f.Add("bob", "pw-bob", []string{"bob@example.org"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		user, password string
		want           string // account; "" for ErrInvalid
	}{
		{"ann@example.org", "pw-ann@example.org", "ann@example.org"},
		{"bob", "pw-bob", "bob"},
		{"Bob", "pw-bob", "bob"}, // telephones write the first letter large
		{"ANN@Example.ORG", "pw-ann@example.org", "ann@example.org"},
		{"bob ", "pw-bob", "bob"},
		{"bob", "PW-BOB", ""}, // passwords are taken as they are
		{"bob", "pw-bob ", ""},
		{"bob", "", ""},
		{"bob", "pw-ann@example.org", ""},
		{"bob@example.org", "pw-bob", ""}, // an address is not a name
		{"eve", "pw-bob", ""},
		{"", "pw-bob", ""},
		{strings.Repeat("x", maxName+1), "pw-bob", ""},
		{"bob", strings.Repeat("x", 1<<20), ""},
	} {
		got, err := a.Login(context.Background(), netip.Addr{}, c.user, c.password)
		switch {
		case c.want == "" && !errors.Is(err, ErrInvalid):
			t.Errorf("%q %q: got %v, %v, want ErrInvalid", c.user, c.password, got, err)
		case c.want != "" && (err != nil || got.Name != c.want):
			t.Errorf("%q %q: got %v, %v, want %s", c.user, c.password, got, err, c.want)
		}
	}
}

// fill occupies the gate, so that whatever needs a hash gets ErrBusy.
func fill(g *gate) (release func()) {
	for range cap(g.waiting) {
		g.waiting <- struct{}{}
	}
	return func() {
		for range cap(g.waiting) {
			<-g.waiting
		}
	}
}

func TestLogin_RecentOnesNeedNoHash(t *testing.T) {
	a, _, clock := newAccounts(t, "ann")
	ctx := context.Background()
	mustLogin(t, a, "ann", "pw-ann")
	if _, err := a.Login(ctx, laptop, "ann", "stale"); !errors.Is(err, ErrInvalid) {
		t.Fatal(err)
	}
	defer fill(a.gate)()
	mustLogin(t, a, "Ann", "pw-ann")
	if _, err := a.Login(ctx, laptop, "ann", "stale"); !errors.Is(err, ErrInvalid) {
		t.Errorf("a password that was wrong is hashed again: %v", err)
	}
	if _, err := a.Login(ctx, laptop, "ann", "another"); !errors.Is(err, ErrBusy) {
		t.Errorf("a password not seen before: got %v, want ErrBusy", err)
	}
	clock.forward(rememberFor)
	if _, err := a.Login(ctx, laptop, "ann", "pw-ann"); !errors.Is(err, ErrBusy) {
		t.Errorf("after %v the login is still remembered: %v", rememberFor, err)
	}
}

func TestLogin_AChangedAccountIsForgotten(t *testing.T) {
	a, f, _ := newAccounts(t)
	// Another process: the command line beside a running server.
	other, err := OpenFile(f.path)
	if err != nil {
		t.Fatal(err)
	}
	other.cost = cheap
	ctx := context.Background()
	login := func(password string) error {
		_, err := a.Login(ctx, laptop, "bob", password)
		return err
	}
	if err := login("first"); !errors.Is(err, ErrInvalid) {
		t.Fatalf("before user add: %v", err)
	}
	if err := other.Add("bob", "first", nil); err != nil {
		t.Fatal(err)
	}
	if err := login("first"); err != nil {
		t.Errorf("after user add: %v", err)
	}
	if err := other.SetPassword("BOB", "second"); err != nil {
		t.Fatal(err)
	}
	if err := login("first"); !errors.Is(err, ErrInvalid) {
		t.Errorf("the old password after user passwd: %v", err)
	}
	if err := login("second"); err != nil {
		t.Errorf("the new password after user passwd: %v", err)
	}
	if err := other.Remove("bob"); err != nil {
		t.Fatal(err)
	}
	if err := login("second"); !errors.Is(err, ErrInvalid) {
		t.Errorf("after user remove: %v", err)
	}
}

func TestLogin_SlowsDownGuesses(t *testing.T) {
	a, _, clock := newAccounts(t, "ann", "bob")
	ctx := context.Background()
	guess := func(from netip.Addr, user string, n int) error {
		_, err := a.Login(ctx, from, user, fmt.Sprint("guess", n))
		return err
	}
	var slow *SlowDown
	for i := range freeTries {
		if err := guess(laptop, "ann", i); !errors.Is(err, ErrInvalid) {
			t.Fatalf("guess %d: %v", i, err)
		}
	}
	for i, pause := range append(pauses, pauses[len(pauses)-1]) {
		if err := guess(laptop, "ann", 100+i); !errors.As(err, &slow) {
			t.Fatalf("guess beyond the %dth: got %v, want SlowDown", freeTries+i, err)
		}
		if got := slow.Until.Sub(clock.Now()); got != pause {
			t.Errorf("pause %d is %v, want %v", i, got, pause)
		}
		if _, err := a.Login(ctx, laptop, "ann", "pw-ann"); !errors.As(err, &slow) {
			t.Fatalf("the right password during a pause: %v", err)
		}
		clock.forward(pause)
		if err := guess(laptop, "ann", 200+i); !errors.Is(err, ErrInvalid) {
			t.Fatalf("guess after a pause: %v", err)
		}
	}
	if err := guess(laptop, "bob", 0); !errors.Is(err, ErrInvalid) {
		t.Errorf("another account from the same address: %v", err)
	}
	if _, err := a.Login(ctx, netip.MustParseAddr("192.0.2.8"), "ann", "pw-ann"); err != nil {
		t.Errorf("the same account from another address: %v", err)
	}
	// That login is remembered now, so the owner passes from everywhere.
	if _, err := a.Login(ctx, laptop, "ann", "pw-ann"); err != nil {
		t.Errorf("a password known to be right: %v", err)
	}
}

func TestLogin_OneStalePasswordLocksNobodyOut(t *testing.T) {
	a, _, clock := newAccounts(t, "ann")
	ctx := context.Background()
	for range 200 {
		if _, err := a.Login(ctx, laptop, "ann", "stale"); !errors.Is(err, ErrInvalid) {
			t.Fatal(err)
		}
		clock.forward(time.Second)
	}
	mustLogin(t, a, "ann", "pw-ann")
}

func TestLogin_GuessesAreForgivenAfterQuiet(t *testing.T) {
	b := newBrake()
	now := time.Unix(1_700_000_000, 0)
	who := culpritOf("ann", laptop)
	for range freeTries + 3 {
		b.wrong(who, now)
	}
	if b.refusedUntil(who, now).IsZero() {
		t.Fatal("not refused")
	}
	now = now.Add(forgetAfter + time.Second)
	b.wrong(who, now)
	if u := b.refusedUntil(who, now); !u.IsZero() {
		t.Errorf("refused until %v after an hour of quiet", u)
	}
}

func TestBrake_IsBounded(t *testing.T) {
	b := newBrake()
	now := time.Unix(1_700_000_000, 0)
	for i := range maxCulprits + 100 {
		b.wrong(culpritOf(fmt.Sprint(i), laptop), now)
	}
	if n := len(b.records); n > maxCulprits {
		t.Errorf("%d records", n)
	}
}

// TestBrake_IsNotFlushed: who gives one wrong password for each of many names does
// not make us forget whose guesses are held up.
func TestBrake_IsNotFlushed(t *testing.T) {
	b := newBrake()
	now := time.Unix(1_700_000_000, 0)
	ann := culpritOf("ann", laptop)
	for range freeTries {
		b.wrong(ann, now)
	}
	for i := range 3 * maxCulprits {
		b.wrong(culpritOf(fmt.Sprint(i), laptop), now)
	}
	if b.refusedUntil(ann, now).IsZero() || len(b.records) > maxCulprits {
		t.Errorf("ann's guesses are looked at again; %d records", len(b.records))
	}
}

func TestMemory_IsBounded(t *testing.T) {
	m := newMemory()
	now := time.Unix(1_700_000_000, 0)
	for i := range maxRemembered + 100 {
		m.remember(m.proof(nil, fmt.Sprint(i), "x"), i%2 == 0, now)
		m.remember(m.proof(nil, fmt.Sprint(i), "y"), true, now)
	}
	if len(m.right) > maxRemembered || len(m.wrong) > maxRemembered {
		t.Errorf("%d and %d remembered", len(m.right), len(m.wrong))
	}
}

func TestCulpritOf_OneCustomerIsOneCulprit(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::1", true},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"fe80::1%eth0", "fe80::1%eth1", true},
	} {
		a, b := culpritOf("x", netip.MustParseAddr(c.a)), culpritOf("x", netip.MustParseAddr(c.b))
		if (a == b) != c.same {
			t.Errorf("%s and %s: same is %t", c.a, c.b, a == b)
		}
	}
}

func TestDummy_CostsWhatAnAccountCosts(t *testing.T) {
	a, _, _ := newAccounts(t)
	if got := a.dummy().cost; got != DefaultCost {
		t.Errorf("without accounts: %+v", got)
	}
	a, _, _ = newAccounts(t, "ann")
	if got := a.dummy().cost; got != cheap {
		t.Errorf("with an account: %+v", got)
	}
	if a.dummy().matches("") || a.dummy().matches("x") {
		t.Error("the dummy has a password")
	}
}

func TestNew_AccountInBothPlacesIsAMistake(t *testing.T) {
	_, f, _ := newAccounts(t)
	if err := f.Add("ann@example.org", "x", nil); err != nil {
		t.Fatal(err)
	}
	hash, _ := HashPassword("x", cheap)
	_, err := New(f, []Account{{Name: "Ann@Example.org", Hash: hash}})
	if err == nil || !strings.Contains(err.Error(), "wellsent user remove") {
		t.Errorf("got %v", err)
	}
	_, err = New(nil, []Account{{Name: "a", Hash: hash}, {Name: "A", Hash: hash}})
	if err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("got %v", err)
	}
}

func TestSetConfigured_ErrorChangesNothing(t *testing.T) {
	a, _, _ := newAccounts(t, "ann")
	if err := a.SetConfigured([]Account{{Name: "x"}, {Name: "X"}}); err == nil {
		t.Fatal("no error")
	}
	mustLogin(t, a, "ann", "pw-ann")
	if err := a.SetConfigured(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Authenticate(context.Background(), "ann", "pw-ann"); !errors.Is(err, ErrInvalid) {
		t.Errorf("an account taken out of the configuration: %v", err)
	}
}

func TestList_IsSorted(t *testing.T) {
	a, f, _ := newAccounts(t, "mid", "Zed")
	if err := f.Add("ann", "x", nil); err != nil {
		t.Fatal(err)
	}
	all, err := a.List()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, x := range all {
		names = append(names, x.Name)
	}
	if got := strings.Join(names, " "); got != "ann mid Zed" {
		t.Errorf("got %s", got)
	}
}

func mustLogin(t *testing.T, a *Accounts, user, password string) {
	t.Helper()
	if _, err := a.Login(context.Background(), laptop, user, password); err != nil {
		t.Errorf("login of %s: %v", user, err)
	}
}
