package submission

import (
	"bytes"
	"context"
	"crypto/tls"
	"flag"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/wellsent/wellsent/internal/auth"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/spool"
	"github.com/wellsent/wellsent/internal/spool/memspool"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var now = time.Date(2026, 3, 1, 12, 34, 56, 0, time.UTC)

// people are accounts whose password is "secret".
type people map[string]*auth.Account

func (p people) Exchange(string, auth.Peer) auth.Exchange { return nil }

func (p people) Login(_ context.Context, _ netip.Addr, user, password string) (*auth.Account, error) {
	if a := p[user]; a != nil && password == "secret" {
		return a, nil
	}
	return nil, auth.ErrInvalid
}

func (p people) Lookup(name string) (*auth.Account, error) { return p[name], nil }

var accounts = people{
	"ann": {Name: "ann", Addresses: []string{"ann@example.org"}},
	"app": {Name: "app", Addresses: []string{"*@example.org"}},
	"any": {Name: "any", Addresses: []string{"*"}},
}

// options are those of a server with a smart host for example.com and MX for
// example.net.
func options(store spool.Store) Options {
	routes := &route.Table{Routes: []*route.Route{
		{Name: "all", Recipients: []string{"*"}, Via: []route.Via{{Scheme: route.SchemeSMTP, Host: "smart.example", Port: 587}}},
	}}
	return Options{
		Hostname: "post.example.org",
		Store:    store,
		Routes:   func() *route.Table { return routes },
		Accounts: accounts,
		Settings: Settings{
			Senders:     map[string][]string{"10.0.0.5:25": {"scan@example.org"}},
			Aliases:     map[string]smtp.Path{"root": "ann@example.org", "daemon": "ann@example.org"},
			WarnAfter:   4 * time.Hour,
			ExpireAfter: 120 * time.Hour,
		},
		Now:   func() time.Time { return now },
		NewID: func() spool.QueueID { return "1hq8k2m4abcde" },
	}
}

// transaction makes a transaction of lines "key value".
func transaction(t *testing.T, setup string) *smtp.Transaction {
	t.Helper()
	c := &smtp.Client{SessionID: "s1", Kind: smtp.KindSubmission, Listener: ":587", Name: "laptop.example", ESMTP: true,
		Addr: netip.MustParseAddrPort("192.0.2.7:50000"), Account: "ann", Mechanism: "PLAIN",
		TLS: &tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256}}
	tr := &smtp.Transaction{Client: c, From: "ann@example.org"}
	for line := range strings.Lines(setup) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch key {
		case "from":
			tr.From = smtp.Path(value)
		case "rcpt":
			tr.Recipients = append(tr.Recipients, smtp.Recipient{Path: smtp.Path(value)})
		case "account":
			c.Account = value
		case "host": // named by its address
			c.Account, c.Mechanism, c.Kind, c.Listener = "", "", smtp.KindDevice, value
		case "peer":
			c.Addr = netip.MustParseAddrPort(value)
		case "greeting":
			verb, name, _ := strings.Cut(value, " ")
			c.ESMTP, c.Name = verb == "EHLO", name
		case "tls":
			c.TLS = map[string]*tls.ConnectionState{
				"none": nil,
				"1.2":  {Version: tls.VersionTLS12, CipherSuite: tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
			}[value]
		case "smtputf8":
			tr.Params.SMTPUTF8 = true
		case "":
		default:
			t.Fatalf("unknown key %q", key)
		}
	}
	if len(tr.Recipients) == 0 {
		tr.Recipients = []smtp.Recipient{{Path: "bob@example.net"}}
	}
	return tr
}

// The files of testdata: "setup" is the transaction, "in" the message as sent;
// "out" is the message as it goes to the next hop, or the reply that refuses it.
func TestData_Golden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			section := map[string]string{}
			for _, f := range ar.Files {
				section[f.Name] = string(f.Data)
			}
			got := process(t, section["setup"], section["in"])
			if *update {
				files := ar.Files[:0]
				for _, f := range ar.Files {
					if f.Name != "out" {
						files = append(files, f)
					}
				}
				ar.Files = append(files, txtar.File{Name: "out", Data: []byte(got)})
				if err := os.WriteFile(path, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(section["out"], got); d != "" {
				t.Error(d)
			}
		})
	}
}

// process sends one message, whose lines end in LF in the file, and returns what
// is in the spool afterwards, with LF again. The message comes in pieces of any
// size, and the result must not depend on it.
func process(t *testing.T, setup, message string) string {
	t.Helper()
	message = strings.ReplaceAll(message, "\n", "\r\n")
	var results []string
	for _, wrap := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader} {
		store := memspool.New(memspool.Options{})
		o := options(store)
		s := New(o)
		r := s.Data(t.Context(), transaction(t, setup), wrap(strings.NewReader(message)))
		if !r.Positive() {
			results = append(results, r.String()+"\n")
			continue
		}
		m, err := store.Get(t.Context(), "1hq8k2m4abcde")
		if err != nil {
			t.Fatal(err)
		}
		body, err := store.Body(t.Context(), m.ID)
		if err != nil {
			t.Fatal(err)
		}
		rest, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		all := append(bytes.Clone(m.Header), rest...)
		if bytes.Count(all, []byte("\n")) != bytes.Count(all, []byte("\r\n")) {
			t.Errorf("a bare LF in %q", all)
		}
		results = append(results, strings.ReplaceAll(string(all), "\r\n", "\n"))
	}
	for _, r := range results[1:] {
		if r != results[0] {
			t.Errorf("the result depends on how the message is cut:\n%s\n%s", results[0], r)
		}
	}
	return results[0]
}
