package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/Azure/go-ntlmssp"
	"github.com/xdg-go/scram"
)

// keptAccounts returns accounts with ann, for whom everything is kept, and old, for
// whom only the hash is.
func keptAccounts(t *testing.T) (*Accounts, *File, *clock) {
	t.Helper()
	a, f, c := newAccounts(t)
	if err := f.Add("old", "pw-old", nil); err != nil {
		t.Fatal(err)
	}
	f.Keep(Kept{SCRAM: true, CRAMMD5: true, NTLM: true})
	if err := f.Add("ann@example.org", "pencil", nil); err != nil {
		t.Fatal(err)
	}
	return a, f, c
}

// answers are what a client says, one after another; each is made from the challenge
// before it.
type answers []func(challenge []byte) []byte

func says(s string) func([]byte) []byte { return func([]byte) []byte { return []byte(s) } }

// run plays a login to its end.
func run(x Exchange, client answers) (*Account, error) {
	var challenge []byte
	for _, answer := range client {
		var account *Account
		var err error
		challenge, account, err = x.Next(context.Background(), answer(challenge))
		if account != nil || err != nil {
			return account, err
		}
	}
	return nil, errors.New("the server wants more")
}

// scramClient are the answers of the library's client.
func scramClient(user, password string, change func(*scram.Client) *scram.ClientConversation) answers {
	c, err := scram.SHA256.NewClient(user, password, "")
	if err != nil {
		panic(err)
	}
	talk := c.NewConversation()
	if change != nil {
		talk = change(c)
	}
	step := func(challenge []byte) []byte {
		out, _ := talk.Step(string(challenge))
		return []byte(out)
	}
	return answers{step, step, step}
}

// TestSCRAM_ExampleOfTheRFC plays RFC 7677 §3 to the letter.
func TestSCRAM_ExampleOfTheRFC(t *testing.T) {
	a, f, _ := newAccounts(t)
	if err := f.Add("user", "pencil", nil); err != nil { // its keys are those of the RFC, below
		t.Fatal(err)
	}
	salt, _ := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	c, _ := scram.SHA256.NewClient("user", "pencil", "")
	keys, err := c.GetStoredCredentialsWithError(scram.KeyFactors{Salt: string(salt), Iters: 4096})
	if err != nil {
		t.Fatal(err)
	}
	b := base64.StdEncoding
	err = f.change(func() error {
		f.accounts["user"].SCRAM = fmt.Sprintf("SCRAM-SHA-256$4096:%s$%s:%s", b.EncodeToString(salt), b.EncodeToString(keys.StoredKey), b.EncodeToString(keys.ServerKey))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	x := &scramExchange{a: a, p: Peer{Addr: laptop}, nonce: func() string { return "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0" }}
	for _, step := range []struct{ client, server string }{
		{"n,,n=user,r=rOprNGfwEbeRWgbNEkqO", "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"},
		{"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
	} {
		got, account, err := x.Next(context.Background(), []byte(step.client))
		if string(got) != step.server || account != nil || err != nil {
			t.Fatalf("%s\ngot  %s %v %v\nwant %s", step.client, got, account, err, step.server)
		}
	}
	if _, account, err := x.Next(context.Background(), []byte{}); err != nil || account.Name != "user" {
		t.Errorf("got %v, %v", account, err)
	}
}

func TestSCRAM(t *testing.T) {
	a, _, _ := keptAccounts(t)
	for _, c := range []struct {
		name   string
		client answers
		want   error // nil: logged in as ann@example.org
	}{
		{"right", scramClient("ann@example.org", "pencil", nil), nil},
		{"large letters", scramClient("Ann@Example.ORG", "pencil", nil), nil},
		{"wrong password", scramClient("ann@example.org", "pen", nil), ErrInvalid},
		{"unknown name", scramClient("eve", "pencil", nil), ErrInvalid},
		{"no keys", scramClient("old", "pw-old", nil), ErrInvalid},
		{"for somebody else", answers{says("n,a=old,n=ann@example.org,r=abcdefgh")}, ErrInvalid},
		{"binding without PLUS", answers{says("p=tls-exporter,,n=ann@example.org,r=abcdefgh")}, ErrMalformed},
		{"rubbish", answers{says("hello")}, ErrMalformed},
		{"rubbish second", answers{says("n,,n=ann@example.org,r=abcdefgh"), says("x")}, ErrInvalid},
	} {
		account, err := run(a.Exchange(SCRAM, Peer{Addr: laptop}), c.client)
		if !errors.Is(err, c.want) || c.want == nil && (account == nil || account.Name != "ann@example.org") {
			t.Errorf("%s: got %v, %v, want %v", c.name, account, err, c.want)
		}
	}
}

// TestSCRAM_TellsNobodyWhoIsKnown: an unknown name has a salt, the same each time and
// after a restart, and of the form of a real one.
func TestSCRAM_TellsNobodyWhoIsKnown(t *testing.T) {
	a, f, _ := keptAccounts(t)
	salt := func(a *Accounts, user string) string {
		got, _, err := a.Exchange(SCRAM, Peer{}).Next(context.Background(), []byte("n,,n="+user+",r=abcdefgh"))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(got), ",")
		return rest
	}
	again, err := New(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	eve, ann := salt(a, "eve"), salt(a, "ann@example.org")
	if eve != salt(a, "EVE") || eve != salt(again, "eve") || eve == salt(a, "mallory") || eve == ann {
		t.Error("the salt of an unknown name changes, or is not its own")
	}
	if len(eve) != len(ann) || !strings.HasSuffix(eve, ",i=4096") || !strings.HasSuffix(ann, ",i=4096") {
		t.Errorf("%s and %s differ in form", eve, ann)
	}
	info, err := os.Stat(filepath.Join(filepath.Dir(f.path), namingFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the secret's file: %v, %v", info, err)
	}
}

func TestSCRAM_ChannelBinding(t *testing.T) {
	a, _, _ := keptAccounts(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		client, server, leaf := tlsPair(t, version)
		other, _, _ := tlsPair(t, version)
		peer := Peer{TLS: &server, Certificate: leaf, PlusOffered: true}
		with := func(b scram.ChannelBinding, err error) func(*scram.Client) *scram.ClientConversation {
			if err != nil {
				t.Fatal(err)
			}
			return func(c *scram.Client) *scram.ClientConversation { return c.NewConversationWithChannelBinding(b) }
		}
		for _, c := range []struct {
			name      string
			mechanism string
			change    func(*scram.Client) *scram.ClientConversation
			good      bool
		}{
			{"exporter", SCRAMPlus, with(scram.NewTLSExporterBinding(&client)), true},
			{"certificate", SCRAMPlus, with(scram.NewTLSServerEndpointBinding(&client)), true},
			{"of another connection", SCRAMPlus, with(scram.NewTLSExporterBinding(&other)), false},
			{"unknown kind", SCRAMPlus, with(scram.ChannelBinding{Type: "tls-moon", Data: []byte("x")}, nil), false},
			{"none in PLUS", SCRAMPlus, nil, false},
			{"none", SCRAM, nil, true},
			{"offer taken out", SCRAM, (*scram.Client).NewConversationAdvertisingChannelBinding, false},
		} {
			account, err := run(a.Exchange(c.mechanism, peer), scramClient("ann@example.org", "pencil", c.change))
			if (account != nil) != c.good {
				t.Errorf("%s, %s: got %v, %v", tls.VersionName(version), c.name, account, err)
			}
		}
		if version == tls.VersionTLS12 {
			b := scram.NewTLSUniqueBinding(client.TLSUnique)
			if _, err := run(a.Exchange(SCRAMPlus, peer), scramClient("ann@example.org", "pencil", with(b, nil))); err != nil {
				t.Errorf("tls-unique: %v", err)
			}
		}
	}
}

func TestSCRAMForAll(t *testing.T) {
	a, f, _ := keptAccounts(t)
	if a.SCRAMForAll() {
		t.Error("offered although old has no keys")
	}
	if err := f.SetPassword("old", "pw-new"); err != nil { // f keeps all by now
		t.Fatal(err)
	}
	if !a.SCRAMForAll() {
		t.Error("not offered although all have keys")
	}
	hash, _ := HashPassword("x", cheap)
	if err := a.SetConfigured([]Account{{Name: "fixed", Hash: hash}}); err != nil {
		t.Fatal(err)
	}
	if a.SCRAMForAll() {
		t.Error("offered although an account of the configuration has no keys")
	}
}

// TestCRAMMD5_ExampleOfTheRFC is RFC 2195 §2.
func TestCRAMMD5_ExampleOfTheRFC(t *testing.T) {
	got := hex.EncodeToString(cramDigest(cramContexts("tanstaaftanstaaf"), []byte("<1896.697170952@postoffice.reston.mci.net>")))
	if want := "b913a602c7eda7a495b4e6e7334d3890"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if len(cramContexts(strings.Repeat("x", 100))) != 32 {
		t.Error("a long password")
	}
}

func TestCRAMMD5(t *testing.T) {
	a, _, _ := keptAccounts(t)
	digest := func(user, password string) answers {
		return answers{func([]byte) []byte { return nil }, func(c []byte) []byte {
			return []byte(user + " " + hex.EncodeToString(cramDigest(cramContexts(password), c)))
		}}
	}
	for _, c := range []struct {
		client answers
		want   error
	}{
		{digest("ann@example.org", "pencil"), nil},
		{digest("ann@example.org", "pen"), ErrInvalid},
		{digest("old", "pw-old"), ErrInvalid},
		{digest("eve", ""), ErrInvalid},
		{answers{says("early")}, ErrMalformed},
		{answers{func([]byte) []byte { return nil }, says("nothing")}, ErrMalformed},
	} {
		account, err := run(a.Exchange(CRAMMD5, Peer{Addr: laptop, Hostname: "post.test"}), c.client)
		if !errors.Is(err, c.want) || c.want == nil && account == nil {
			t.Errorf("got %v, %v, want %v", account, err, c.want)
		}
	}
}

// TestNTLM_ExampleOfTheSpecification is MS-NLMP §4.2.4.
func TestNTLM_ExampleOfTheSpecification(t *testing.T) {
	hash := ntHash("Password")
	if got := hex.EncodeToString(hash); got != "a4f49c406510bdcab6824ee7c30fd852" {
		t.Errorf("NTOWFv1 %s", got)
	}
	nonce, _ := hex.DecodeString("0123456789abcdef")
	blob, _ := hex.DecodeString("01010000000000000000000000000000aaaaaaaaaaaaaaaa0000000002000c0044006f006d00610069006e0001000c005300650072007600650072000000000000000000")
	if got := hex.EncodeToString(ntlmv2Proof(hash, "User", "Domain", nonce, blob)); got != "68cd0ab851e51c96aabc927bebef6a1c" {
		t.Errorf("NTProofStr %s", got)
	}
}

// TestNTLM_Version1 is MS-NLMP §4.2.2 and §4.2.3: both responses of the first version.
func TestNTLM_Version1(t *testing.T) {
	nonce, _ := hex.DecodeString("0123456789abcdef")
	if got := hex.EncodeToString(ntlmv1Response(ntHash("Password"), nonce)); got != "67c43011f30298a2ad35ece64f16331c44bdbed927841f94" {
		t.Errorf("NTLMv1 %s", got)
	}
	if got := hex.EncodeToString(ntlmv1Response(ntHash("Password"), sessionNonce(nonce, []byte(strings.Repeat("\xaa", 8))))); got != "7537f803ae367128ca458204bde7caf81e97ed2683267232" {
		t.Errorf("NTLMv1 with session security %s", got)
	}
}

func TestNTLM(t *testing.T) {
	a, _, _ := keptAccounts(t)
	client := func(user, password string) answers {
		return answers{
			func([]byte) []byte { return nil },
			func([]byte) []byte { b, _ := ntlmssp.NewNegotiateMessage("", ""); return b },
			func(c []byte) []byte {
				b, err := ntlmssp.NewAuthenticateMessage(c, user, password, nil)
				orPanic(err)
				return b
			},
		}
	}
	for _, c := range []struct {
		name   string
		client answers
		want   error
	}{
		{"right", client("ann@example.org", "pencil"), nil},
		{"name and domain apart", client(`example.org\ann`, "pencil"), nil},
		{"any domain", client(`WORKGROUP\ann@example.org`, "pencil"), nil},
		{"wrong password", client("ann@example.org", "pen"), ErrInvalid},
		{"no hash kept", client("old", "pw-old"), ErrInvalid},
		{"unknown", client("eve", "x"), ErrInvalid},
		{"rubbish", answers{says("NTLMSSP")}, ErrMalformed},
		{"version 1 in the clear", answers{client("", "")[1], version1Answer("ann@example.org", "pencil")}, ErrInvalid},
	} {
		account, err := run(a.Exchange(NTLM, Peer{Addr: laptop, Hostname: "post.example.test"}), c.client)
		if !errors.Is(err, c.want) || c.want == nil && account == nil {
			t.Errorf("%s: got %v, %v, want %v", c.name, account, err, c.want)
		}
	}
}

// TestNTLM_TellsNobodyWhoIsKnown: names are given whole or in two parts, and wrong
// passwords for the one count for the other, whether there is such an account or not.
func TestNTLM_TellsNobodyWhoIsKnown(t *testing.T) {
	for _, name := range []string{"ann", "eve"} {
		a, _, _ := keptAccounts(t)
		wrong := func(user string) error {
			_, err := run(a.Exchange(NTLM, Peer{Addr: laptop, Hostname: "post.example.test"}), answers{
				func([]byte) []byte { b, _ := ntlmssp.NewNegotiateMessage("", ""); return b },
				func(c []byte) []byte {
					b, err := ntlmssp.NewAuthenticateMessage(c, user, "guess", nil)
					orPanic(err)
					return b
				},
			})
			return err
		}
		for range freeTries {
			if err := wrong(`WORKGROUP\` + name + "@example.org"); !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
		}
		var slow *SlowDown
		if err := wrong(`example.org\` + name); !errors.As(err, &slow) {
			t.Errorf("%s in two parts: %v", name, err)
		}
	}
}

// TestNTLM_Version1UnderTLS: nobody hears it there, and old programs know no other.
func TestNTLM_Version1UnderTLS(t *testing.T) {
	a, _, _ := keptAccounts(t)
	negotiate := func([]byte) []byte { b, _ := ntlmssp.NewNegotiateMessage("", ""); return b }
	for word, want := range map[string]error{"pencil": nil, "pen": ErrInvalid} {
		account, err := run(a.Exchange(NTLM, Peer{TLS: &tls.ConnectionState{}, Hostname: "post.test"}), answers{negotiate, version1Answer("ann@example.org", word)})
		if !errors.Is(err, want) || want == nil && account == nil {
			t.Errorf("%s: got %v, %v", word, account, err)
		}
	}
}

func orPanic(err error) {
	if err != nil {
		panic(err)
	}
}

// version1Answer is an AUTHENTICATE_MESSAGE with a response of the first version.
func version1Answer(user, password string) func(challenge []byte) []byte {
	return func(challenge []byte) []byte {
		name, response := utf16le(user), ntlmv1Response(ntHash(password), challenge[24:32])
		b := append([]byte(ntlmSignature), ntlmAuthTag, 0, 0, 0)
		b = appendField(b, 24, 64)
		b = appendField(b, 24, 64)
		b = appendField(b, 0, 88)
		b = appendField(b, len(name), 88)
		b = appendField(b, 0, 88)
		b = appendField(b, 0, 88)
		b = append(b, 1, 2, 0, 0)
		return append(append(b, response...), name...)
	}
}

func TestNTLM_CutOffMessages(t *testing.T) {
	whole := version1Answer("ann@example.org", "x")(make([]byte, 32))
	for n := range whole {
		if m, err := parseAuthenticate(whole[:n], ntlmUnicode); err == nil && m.user == "ann@example.org" {
			t.Errorf("%d octets of %d are a whole message", n, len(whole))
		}
	}
}

func TestExternal(t *testing.T) {
	a, _, _ := keptAccounts(t)
	certificate := func(emails []string, cn string) *tls.ConnectionState {
		return &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{EmailAddresses: emails, Subject: pkix.Name{CommonName: cn}}}}}
	}
	for _, c := range []struct {
		tls  *tls.ConnectionState
		as   string
		want string // account; "" refused
	}{
		{certificate([]string{"ann@example.org"}, ""), "", "ann@example.org"},
		{certificate([]string{"ann@example.org"}, "old"), "old", "old"},
		{certificate(nil, "old"), "", "old"},
		{certificate(nil, "old"), "ann@example.org", ""},
		{certificate([]string{"eve@example.org"}, ""), "", ""},
		{&tls.ConnectionState{}, "", ""},
		{nil, "", ""},
	} {
		account, err := run(a.Exchange(External, Peer{TLS: c.tls}), answers{says(c.as)})
		if c.want == "" && !errors.Is(err, ErrInvalid) || c.want != "" && (err != nil || account.Name != c.want) {
			t.Errorf("%+v as %q: got %v, %v, want %q", c.tls, c.as, account, err, c.want)
		}
	}
}

// TestExchange_GuessesAreSlowedDown: whichever way the password is wrong, it counts.
func TestExchange_GuessesAreSlowedDown(t *testing.T) {
	a, _, _ := keptAccounts(t)
	var slow *SlowDown
	for i := range freeTries {
		var err error
		if i%2 == 0 {
			_, err = run(a.Exchange(SCRAM, Peer{Addr: laptop}), scramClient("ann@example.org", fmt.Sprint(i), nil))
		} else {
			_, err = a.Login(context.Background(), laptop, "ann@example.org", fmt.Sprint(i))
		}
		if !errors.Is(err, ErrInvalid) {
			t.Fatalf("guess %d: %v", i, err)
		}
	}
	if _, err := run(a.Exchange(SCRAM, Peer{Addr: laptop}), scramClient("ann@example.org", "pencil", nil)); !errors.As(err, &slow) {
		t.Errorf("SCRAM after %d guesses: %v", freeTries, err)
	}
	if _, err := run(a.Exchange(CRAMMD5, Peer{Addr: laptop}), answers{func([]byte) []byte { return nil }, says("ann@example.org 00")}); !errors.As(err, &slow) {
		t.Errorf("CRAM-MD5 after %d guesses: %v", freeTries, err)
	}
}

// verdicts is a TokenVerifier that knows two tokens.
type verdicts struct{}

func (verdicts) Verify(_ context.Context, token string) (*Account, error) {
	switch token {
	case "ann's":
		return &Account{Name: "ann@example.org", Addresses: []string{"wrong@example.org"}}, nil
	case "zoe's":
		return &Account{Name: "zoe@example.org", Addresses: []string{"zoe@example.org"}}, nil
	case "down":
		return nil, errors.New("the provider cannot be asked")
	}
	return nil, &TokenError{Status: "invalid_token", Scope: "smtp", Err: errors.New("not ours")}
}

func TestBearer(t *testing.T) {
	a, _, _ := keptAccounts(t)
	a.SetOutside(nil, verdicts{})
	for _, c := range []struct {
		mechanism, says, want string // account; "": refused
	}{
		{XOAUTH2, "user=ann@example.org\x01auth=Bearer ann's\x01\x01", "ann@example.org"},
		{OAuthBearer, "n,a=ann@example.org,\x01host=x\x01port=587\x01auth=Bearer ann's\x01\x01", "ann@example.org"},
		{OAuthBearer, "n,,\x01auth=bearer zoe's\x01\x01", "zoe@example.org"},
		{XOAUTH2, "user=ann@example.org\x01auth=Bearer zoe's\x01\x01", ""},
		{XOAUTH2, "user=ann@example.org\x01auth=Bearer stale\x01\x01", ""},
	} {
		x := a.Exchange(c.mechanism, Peer{Addr: laptop})
		challenge, account, err := x.Next(context.Background(), []byte(c.says))
		if c.want != "" {
			if err != nil || account == nil || account.Name != c.want {
				t.Errorf("%q: got %v, %v", c.says, account, err)
			}
			continue
		}
		if account != nil || !errors.Is(err, ErrInvalid) || !strings.HasPrefix(string(challenge), `{"status":"invalid_token","schemes":"bearer"`) {
			t.Errorf("%q: got challenge %s, %v, %v", c.says, challenge, account, err)
		}
	}
	// The account of the file counts, not what the token says; one that is kept nowhere
	// is known by its login.
	if got, _ := a.Lookup("ann@example.org"); got.Addresses[0] != "ann@example.org" {
		t.Errorf("ann may send as %v", got.Addresses)
	}
	if got, _ := a.Lookup("zoe@example.org"); got == nil {
		t.Error("zoe is unknown after her login")
	}
	for range 3 * freeTries {
		run(a.Exchange(XOAUTH2, Peer{Addr: laptop}), answers{says("user=ann@example.org\x01auth=Bearer stale\x01\x01"), says("")})
	}
	if _, err := run(a.Exchange(XOAUTH2, Peer{Addr: laptop}), answers{says("user=ann@example.org\x01auth=Bearer ann's\x01\x01")}); err != nil {
		t.Errorf("after one stale token many times: %v", err)
	}
	if _, err := run(a.Exchange(XOAUTH2, Peer{}), answers{says("user=\x01auth=Bearer down\x01\x01")}); err == nil || errors.Is(err, ErrInvalid) {
		t.Errorf("a provider that is down: %v", err)
	}
	for _, bad := range []string{"", "user=x", "user=x\x01\x01", "user=x\x01auth=Basic y\x01\x01", "x\x01auth=Bearer y\x01\x01"} {
		if _, err := run(a.Exchange(XOAUTH2, Peer{}), answers{says(bad)}); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestSCRAM_GuessesAtOnceAreSlowedDownToo: who begins many logins before he ends the
// first has no more tries for it.
func TestSCRAM_GuessesAtOnceAreSlowedDownToo(t *testing.T) {
	a, _, _ := keptAccounts(t)
	var begun []func(last string) error
	for i := range 3 * freeTries {
		x, client := a.Exchange(SCRAM, Peer{Addr: laptop}), scramClient("ann@example.org", fmt.Sprint("guess", i), nil)
		challenge, _, err := x.Next(context.Background(), client[0](nil))
		if err != nil {
			t.Fatal(err)
		}
		answer := client[1](challenge)
		begun = append(begun, func(string) error {
			_, _, err := x.Next(context.Background(), answer)
			return err
		})
	}
	looked := 0
	for _, end := range begun {
		if err := end(""); errors.Is(err, ErrInvalid) {
			looked++
		}
	}
	if looked != freeTries {
		t.Errorf("%d guesses were looked at, want %d", looked, freeTries)
	}
}

// TestSCRAM_IterationsOfTheUnknown are those of the accounts there are, whatever they
// were made with.
func TestSCRAM_IterationsOfTheUnknown(t *testing.T) {
	keys, err := scramKeysOf("zed", "pw", 8192)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := HashPassword("pw", cheap)
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(nil, []Account{{Name: "bare", Hash: hash}, {Name: "zed", Hash: hash, SCRAM: keys}})
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"zed", "bare", "eve"} {
		got, _, err := a.Exchange(SCRAM, Peer{}).Next(context.Background(), []byte("n,,n="+user+",r=abcdefgh"))
		if err != nil || !strings.HasSuffix(string(got), ",i=8192") {
			t.Errorf("%s: %s, %v", user, got, err)
		}
	}
}

// TestSetOutside_TakesAwayWhatIsGone: a directory that is not asked any more lets
// nobody in, by memory or by certificate.
func TestSetOutside_TakesAwayWhatIsGone(t *testing.T) {
	a, _, _ := keptAccounts(t)
	a.SetOutside([]Backend{&elsewhere{}}, nil)
	mustLogin(t, a, "zoe", "right")
	shown := &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{DNSNames: []string{"zoe"}}}}}
	if account, err := run(a.Exchange(External, Peer{TLS: shown}), answers{says("")}); err == nil {
		t.Errorf("a certificate lets %s in, of whom only the directory knows whether it still may", account.Name)
	}
	a.SetOutside([]Backend{&elsewhere{}}, nil) // as on any reload: its sessions go on
	if got, err := a.Lookup("zoe"); got == nil || err != nil {
		t.Errorf("a session of zoe: %v, %v", got, err)
	}
	a.SetOutside(nil, nil)
	if got, _ := a.Lookup("zoe"); got != nil {
		t.Error("zoe may still send")
	}
	if _, err := a.Login(context.Background(), laptop, "zoe", "right"); !errors.Is(err, ErrInvalid) {
		t.Errorf("zoe logs in: %v", err)
	}
}

// elsewhere is a Backend with one account.
type elsewhere struct {
	asked int
	err   error
}

func (e *elsewhere) Check(_ context.Context, user, password string) (*Account, error) {
	e.asked++
	switch {
	case e.err != nil:
		return nil, e.err
	case Canonical(user) == "zoe" && password == "right":
		return &Account{Name: "zoe", Addresses: []string{"zoe@example.org"}}, nil
	}
	return nil, ErrInvalid
}

func TestLogin_ElsewhereToo(t *testing.T) {
	a, _, clock := keptAccounts(t)
	b := &elsewhere{}
	a.SetOutside([]Backend{b}, nil)
	ctx := context.Background()
	if a.SCRAMForAll() {
		t.Error("SCRAM is offered though a backend has no keys for it")
	}
	if _, err := a.Login(ctx, laptop, "ann@example.org", "wrong"); !errors.Is(err, ErrInvalid) || b.asked != 0 {
		t.Errorf("an account of ours: %v; the backend was asked %d times", err, b.asked)
	}
	for range 3 {
		if got, err := a.Login(ctx, laptop, "Zoe", "right"); err != nil || got.Addresses[0] != "zoe@example.org" {
			t.Fatal(got, err)
		}
	}
	if b.asked != 1 {
		t.Errorf("asked %d times for a login that was right a moment ago", b.asked)
	}
	for range 3 {
		if _, err := a.Login(ctx, laptop, "zoe", "stale"); !errors.Is(err, ErrInvalid) {
			t.Fatal(err)
		}
	}
	if b.asked != 2 {
		t.Errorf("asked %d times, want once more for the same stale password", b.asked)
	}
	clock.forward(rememberOutside)
	if _, err := a.Login(ctx, laptop, "zoe", "stale"); !errors.Is(err, ErrInvalid) || b.asked != 3 {
		t.Errorf("%v, asked %d times: a password may have been set meanwhile", err, b.asked)
	}
	b.err = errors.New("connection refused")
	if _, err := a.Login(ctx, laptop, "zoe", "other"); err == nil || errors.Is(err, ErrInvalid) {
		t.Errorf("a backend that is down: %v", err)
	}
}

func TestFile_KeepsWhatIsAskedFor(t *testing.T) {
	_, f, _ := keptAccounts(t)
	again, err := OpenFile(f.path)
	if err != nil {
		t.Fatal(err)
	}
	ann, _ := again.lookup("ann@example.org")
	if ann.SCRAM == "" || len(ann.CRAMMD5) != 64 || len(ann.NTHash) != 32 {
		t.Errorf("%+v", ann)
	}
	again.cost = cheap
	again.Keep(Kept{})
	if err := again.SetPassword("ann@example.org", "another"); err != nil {
		t.Fatal(err)
	}
	if ann, _ = f.lookup("ann@example.org"); ann.SCRAM != "" || ann.CRAMMD5 != "" || ann.NTHash != "" {
		t.Errorf("the keys of the old password are still there: %+v", ann)
	}
	for _, bad := range []string{`scram_sha_256 = "SCRAM-SHA-256$1:a$b:c"`, `cram_md5 = "xyz"`, `nt_hash = "00"`} {
		hash, _ := HashPassword("x", cheap)
		if _, err := parseFile("f", fmt.Appendf(nil, "[[user]]\nname = \"a\"\npassword = %q\n%s\n", hash, bad)); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}
