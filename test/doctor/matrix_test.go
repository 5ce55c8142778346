package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/test/binary"
)

// tableVariable names the environment variable with the file that the table is
// written to.
const tableVariable = "WELLSENT_MATRIX"

func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.parallel").Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		flag.Set("test.parallel", "12") // most cases wait most of the time
	}
	code := binary.Main(m)
	if path := os.Getenv(tableVariable); path != "" {
		if err := os.WriteFile(path, []byte(tableText()), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// kase is one failure and what the doctor must say of it.
type kase struct {
	name    string
	args    []string   // of doctor, without those that every case gets
	want    cause.ID   // the root cause; "": all is well
	also    []cause.ID // what may be named without error
	warning cause.ID   // a warning that must be there; "": none must
	unsure  bool       // the doctor cannot come to an end, and must say so
	inside  []string   // a command that runs the doctor elsewhere: ip netns exec …
	env     []string
	dns     string // the name server; "": one that knows localhost alone
}

// report is what is read of the doctor's JSON.
type report struct {
	Verdict  string    `json:"verdict"`
	Findings []finding `json:"findings"`
	Warnings []finding `json:"warnings"`
	Evidence []struct {
		Probe   string `json:"probe"`
		About   string `json:"about"`
		Outcome string `json:"outcome"`
		TookMS  int64  `json:"took_ms"`
	} `json:"evidence"`
	Untested []string `json:"untested"`
	Steps    []struct {
		ID    string   `json:"id"`
		State string   `json:"state"`
		Seen  []string `json:"seen"`
	} `json:"steps"`
}

type finding struct {
	Cause      cause.ID `json:"cause"`
	Confidence string   `json:"confidence"`
	Seen       []string `json:"seen"`
	RuledOut   []string `json:"ruled_out"`
	Do         []string `json:"do"`
}

// row is a line of the table.
type row struct {
	name       string
	want       cause.ID
	found      string
	confidence string
	took       time.Duration
	right      bool
}

var table struct {
	mu   sync.Mutex // guards rows
	rows []row
}

// tableText returns the table, one line a case.
func tableText() string {
	var b strings.Builder
	sort.Slice(table.rows, func(i, j int) bool { return table.rows[i].name < table.rows[j].name })
	const format = "%s %-52s %-34s %-34s %-10s %7s\n"
	right := 0
	fmt.Fprintf(&b, format, " ", "scenario", "expected", "found", "confidence", "seconds")
	for _, r := range table.rows {
		mark := "✗"
		if r.right {
			mark = "✓"
			right++
		}
		fmt.Fprintf(&b, format, mark, r.name, orOK(r.want), r.found, r.confidence, fmt.Sprintf("%.1f", r.took.Seconds()))
	}
	fmt.Fprintf(&b, "%d of %d right\n", right, len(table.rows))
	return b.String()
}

func orOK(id cause.ID) string {
	if id == "" {
		return "ok"
	}
	return string(id)
}

// ask runs the doctor and checks what it says.
func ask(t *testing.T, k kase) *report {
	t.Helper()
	began := time.Now()
	r, code, stderr := examine(t, k)
	got := row{name: k.name, want: k.want, found: r.Verdict, took: time.Since(began)}
	named := cause.ID("")
	if len(r.Findings) > 0 {
		named, got.found, got.confidence = r.Findings[0].Cause, string(r.Findings[0].Cause), r.Findings[0].Confidence
	}
	got.right = named == k.want || named != "" && slices.Contains(k.also, named)
	wantCode := 1
	switch {
	case k.unsure:
		wantCode = 3
	case k.want == "":
		wantCode = 0
	}
	switch {
	case !got.right:
		t.Errorf("it finds %s, want %s", got.found, orOK(k.want))
	case code != wantCode:
		t.Errorf("it exits with %d, want %d", code, wantCode)
		got.right = false
	case len(r.Findings) > 0 && (len(r.Findings[0].Seen) == 0 || len(r.Findings[0].Do) == 0):
		t.Error("the finding shows nothing that was seen, or nothing to do")
		got.right = false
	}
	if k.warning != "" && !slices.ContainsFunc(r.Warnings, func(f finding) bool { return f.Cause == k.warning }) {
		t.Errorf("no warning of %s", k.warning)
		got.right = false
	}
	table.mu.Lock()
	table.rows = append(table.rows, got)
	table.mu.Unlock()
	if !got.right {
		t.Logf("doctor %s\n%s%s", strings.Join(k.args, " "), r.text(), stderr)
	}
	return r
}

func (r *report) text() string {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "finding %s %s\n  seen %q\n  ruled out %q\n", f.Cause, f.Confidence, f.Seen, f.RuledOut)
	}
	for _, f := range r.Warnings {
		fmt.Fprintf(&b, "warning %s %s\n", f.Cause, f.Confidence)
	}
	for _, e := range r.Evidence {
		fmt.Fprintf(&b, "  %s %s: %s (%d ms)\n", e.Probe, e.About, e.Outcome, e.TookMS)
	}
	if len(r.Untested) > 0 {
		fmt.Fprintf(&b, "untested %q\n", r.Untested)
	}
	return b.String()
}

// examine runs the doctor with a state directory of its own.
func examine(t *testing.T, k kase) (*report, int, string) {
	t.Helper()
	resolver := k.dns
	if resolver == "" {
		resolver = nameServer(t, map[string]string{"localhost.": "127.0.0.1"})
	}
	args := slices.Concat(k.inside, []string{os.Getenv(binary.PathVariable), "doctor", "--json", "--state", t.TempDir()}, k.args)
	if resolver != "system" {
		args = append(args, "--resolver", resolver)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.Env = append(withoutProxies(), k.env...)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	r := &report{}
	if err := json.Unmarshal(stdout.Bytes(), r); err != nil {
		t.Fatalf("doctor %q: %v\n%s%s", k.args, err, stdout.String(), stderr.String())
	}
	return r, c.ProcessState.ExitCode(), stderr.String()
}

// nameServer is a name server that knows some names' addresses, and that there are
// no others.
func nameServer(t *testing.T, names map[string]string) string {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	s := &dns.Server{PacketConn: pc, NotifyStartedFunc: func() { close(ready) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg)
		m.SetReply(q)
		address, ok := names[strings.ToLower(q.Question[0].Name)]
		switch {
		case !ok:
			m.Rcode = dns.RcodeNameError
		case q.Question[0].Qtype == dns.TypeA:
			m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.ParseIP(address)})
		}
		w.WriteMsg(m)
	})}
	done := make(chan struct{})
	go func() { // ends when the test shuts the server down
		defer close(done)
		s.ActivateAndServe()
	}()
	<-ready
	t.Cleanup(func() {
		s.Shutdown()
		<-done
	})
	return pc.LocalAddr().String()
}

// file writes a file of a test and returns its path.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
