package interop

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/smtp"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/deliver/apitest"
	"github.com/wellsent/wellsent/internal/lab"
	"github.com/wellsent/wellsent/test/binary"
)

// closedPort returns a port of 127.0.0.1 where nobody listens.
func closedPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// graphOffice is a relay for this machine whose way out is a smart host that
// nobody answers at, and Graph.
func graphOffice(t *testing.T, g *apitest.Graph) *binary.Office {
	t.Helper()
	return officeBy(t, g, fmt.Sprintf("127.0.0.1:%d", closedPort(t)), mailbox, "", nil)
}

// officeBy is such a relay with a smart host, its login, and what vouches for it.
func officeBy(t *testing.T, g *apitest.Graph, smartHost, user, word string, ca []byte) *binary.Office {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "graph.pem"), string(g.PEM)+string(ca))
	login := ""
	if word != "" {
		writeFile(t, filepath.Join(dir, "relay.secret"), word+"\n")
		login = fmt.Sprintf("password_file = %q", filepath.Join(dir, "relay.secret"))
	}
	writeFile(t, filepath.Join(dir, "token"), "the-token\n")
	g.Allow("the-token")
	o := binary.Need(t, binary.Options{
		Listeners: []binary.Listener{{Kind: "relay", More: `allow = ["127.0.0.1"]`}},
		Tables: fmt.Sprintf(`
[[route]]
name = "m365"
recipients = ["*"]
via = ["smtp://%s", "graph://127.0.0.1:%d"]
user = %q
%s
token_command = "/bin/cat %s"
ca = %q
`, smartHost, g.Port, user, login, filepath.Join(dir, "token"), filepath.Join(dir, "graph.pem")),
	})
	o.MustStart(t)
	return o
}

// until waits for a condition, as long as a busy machine may need.
func until(t *testing.T, o *binary.Office, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: it did not come to that; the server printed:\n%s", what, o.Output())
		}
		<-tick.C
	}
}

type laneEntry struct {
	Cause      string `json:"cause"`
	Reply      string `json:"reply"`
	LanePaused bool   `json:"lane_paused"`
	State      string `json:"state"`
}

func queue(t *testing.T, o *binary.Office) []laneEntry {
	t.Helper()
	r := o.MustRun(t, "queue", "list", "--json")
	var all []laneEntry
	if err := json.Unmarshal([]byte(r.Stdout), &all); err != nil {
		t.Fatalf("queue list: %v: %s", err, r.Stdout)
	}
	return all
}

func hand(t *testing.T, o *binary.Office, text string) {
	t.Helper()
	c, err := smtp.Dial(o.Address("relay"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := errors.Join(c.Mail(mailbox), c.Rcpt("bob@recipient.test")); err != nil {
		t.Fatal(err)
	}
	w, err := c.Data()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), c.Quit()); err != nil {
		t.Fatal(err)
	}
}

// TestGraph_TakesOver: the port of the smart host is closed, and the mail goes by
// Graph: a short message as it is, one of 30 MB by upload sessions.
func TestGraph_TakesOver(t *testing.T) {
	g := apitest.NewGraph(t, mailbox)
	o := graphOffice(t, g)
	hand(t, o, "From: "+mailbox+"\r\nTo: bob@recipient.test\r\nSubject: short\r\n\r\ntext\r\n")
	until(t, o, "the short message", func() bool { return len(g.Sent()) == 1 })

	content := make([]byte, 22<<20)
	rand.Read(content)
	var b strings.Builder
	b.WriteString("From: " + mailbox + "\r\nTo: bob@recipient.test\r\nSubject: long\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\ntext\r\n--x\r\n" +
		"Content-Type: application/octet-stream; name=scan.bin\r\nContent-Disposition: attachment; filename=scan.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	for e := base64.StdEncoding.EncodeToString(content); e != ""; e = e[min(76, len(e)):] {
		b.WriteString(e[:min(76, len(e))] + "\r\n")
	}
	b.WriteString("--x--\r\n")
	hand(t, o, b.String())
	until(t, o, "the long message", func() bool { return len(g.Sent()) == 2 })
	sent := g.Sent()[1]
	if len(sent.Attachments) != 1 || string(sent.Attachments[0].Content) != string(content) || sent.Attachments[0].Name != "scan.bin" || len(sent.Recipients) != 1 {
		t.Errorf("to %v, %d attachments", sent.Recipients, len(sent.Attachments))
	}
	until(t, o, "an empty queue", func() bool { return len(queue(t, o)) == 0 })
	list := o.MustRun(t, "queue", "list").Stdout
	if words := strings.Join(strings.Fields(list), " "); !strings.Contains(words, "note m365: mail goes by graph://127.0.0.1:") || !strings.Contains(words, "[net.refused]") {
		t.Errorf("queue list does not tell of the stand-in:\n%s", list)
	}
	if !strings.Contains(o.Output(), "mail goes by a stand-in") || strings.Contains(o.Output(), "the-token") {
		t.Errorf("the log:\n%s", o.Output())
	}
}

// TestGraph_ThrottleIsObeyed: nothing is asked of it before it is time, and nothing
// bounces.
func TestGraph_ThrottleIsObeyed(t *testing.T) {
	g := apitest.NewGraph(t, mailbox)
	var refused, again atomic.Int64
	g.Before = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if refused.CompareAndSwap(0, time.Now().UnixNano()) {
			w.Header().Set("Retry-After", "3")
			return apitest.GraphError(w, 429, "ApplicationThrottled", "Application is over its MailboxConcurrency limit.")
		}
		again.CompareAndSwap(0, time.Now().UnixNano())
		return false
	}
	o := graphOffice(t, g)
	message := "From: " + mailbox + "\r\nTo: bob@recipient.test\r\nSubject: x\r\n\r\ntext\r\n"
	hand(t, o, message)
	until(t, o, "a lane that waits", func() bool {
		q := queue(t, o)
		return len(q) == 1 && q[0].Cause == "limit.connections" && strings.Contains(q[0].Reply, "HTTP 429 ApplicationThrottled")
	})
	hand(t, o, message)
	hand(t, o, message)
	until(t, o, "all sent", func() bool { return len(g.Sent()) == 3 })
	if d := time.Duration(again.Load() - refused.Load()); d < 3*time.Second || len(g.Requests()) != 4 {
		t.Errorf("asked again after %v, %d requests", d, len(g.Requests()))
	}
}

// TestGraph_RefusedTokenPauses: the lane waits with its cause, and goes on when the
// token is taken again.
func TestGraph_RefusedTokenPauses(t *testing.T) {
	g := apitest.NewGraph(t, mailbox)
	o := graphOffice(t, g)
	g.Revoke("the-token")
	hand(t, o, "From: "+mailbox+"\r\nTo: bob@recipient.test\r\nSubject: x\r\n\r\ntext\r\n")
	until(t, o, "a paused lane", func() bool {
		q := queue(t, o)
		return len(q) == 1 && q[0].LanePaused && q[0].Cause == "auth.oauth-token-rejected" && strings.Contains(q[0].Reply, "HTTP 401 InvalidAuthenticationToken")
	})
	g.Allow("the-token")
	o.MustRun(t, "queue", "resume", "--lane", "m365")
	until(t, o, "the message", func() bool { return len(g.Sent()) == 1 })
}

// TestGraph_WhereSMTPAuthIsSwitchedOff: Exchange Online refuses the password since
// the tenant's switch is off; the mail goes by Graph with a token, and the password
// is not shown again for the next message.
func TestGraph_WhereSMTPAuthIsSwitchedOff(t *testing.T) {
	s, err := lab.Start(t.Context(), lab.Options{Cause: "auth.smtp-auth-disabled"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	set := s.Settings()
	g := apitest.NewGraph(t, set.User)
	o := officeBy(t, g, set.Address(), set.User, set.Password, []byte(set.CA))
	for i := range 3 {
		hand(t, o, "From: "+set.User+"\r\nTo: bob@recipient.test\r\nSubject: x\r\n\r\ntext\r\n")
		until(t, o, "the message", func() bool { return len(g.Sent()) == i+1 })
	}
	if n := len(s.Conversations()); n != 1 {
		t.Errorf("the smart host was asked %d times:\n%s", n, s.Transcript())
	}
	if list := strings.Join(strings.Fields(o.MustRun(t, "queue", "list").Stdout), " "); !strings.Contains(list, "[auth.smtp-auth-disabled]") {
		t.Errorf("queue list: %s", list)
	}
	if c := check(t, o); c.code != 1 || !strings.Contains(c.worries["lane-notice"], "mail goes by graph://") || !strings.Contains(c.do, "wellsent doctor --route m365") {
		t.Errorf("check says %+v", c)
	}
}
