package httpapi

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/wellsent/wellsent/internal/dispatch"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/spool"
	"github.com/wellsent/wellsent/internal/worry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// queue is an operator with a queue in memory: what it was told and what it says.
type queue struct {
	entries []dispatch.Entry
	fail    error         // of List, after the entries; of orders
	flush   chan struct{} // Flush waits for it or its context
	begun   chan struct{} // closed when Flush has begun
	told    string
	which   dispatch.Selection
}

func (q *queue) List(_ context.Context, f dispatch.Filter) iter.Seq2[dispatch.Entry, error] {
	return func(yield func(dispatch.Entry, error) bool) {
		for _, e := range q.entries {
			if f.Lane != "" && e.Lane != f.Lane || f.ID != "" && string(e.QueueID) != f.ID ||
				len(f.States) > 0 && !slices.Contains(f.States, string(e.State)) {
				continue
			}
			if !yield(e, nil) {
				return
			}
		}
		if q.fail != nil {
			yield(dispatch.Entry{}, q.fail)
		}
	}
}

func (q *queue) Show(_ context.Context, id string) (*dispatch.Detail, error) {
	for _, e := range q.entries {
		if string(e.QueueID) == id {
			return &dispatch.Detail{Entries: []dispatch.Entry{e}}, nil
		}
	}
	return nil, fmt.Errorf("show %s: %w", id, spool.ErrNotFound)
}

func (q *queue) order(name string, s dispatch.Selection) (dispatch.Done, error) {
	q.told, q.which = name, s
	return dispatch.Done{Recipients: len(s.IDs), Skipped: []string{"b: being delivered at this moment"}}, q.fail
}

func (q *queue) Retry(_ context.Context, s dispatch.Selection) (dispatch.Done, error) {
	return q.order("retry", s)
}
func (q *queue) Hold(_ context.Context, s dispatch.Selection) (dispatch.Done, error) {
	return q.order("hold", s)
}
func (q *queue) Resume(_ context.Context, s dispatch.Selection) (dispatch.Done, error) {
	return q.order("resume", s)
}
func (q *queue) Cancel(_ context.Context, s dispatch.Selection) (dispatch.Done, error) {
	return q.order("cancel", s)
}

func (q *queue) Flush(ctx context.Context) error {
	if q.begun != nil {
		close(q.begun)
	}
	select {
	case <-q.flush:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (q *queue) Lanes(context.Context) ([]dispatch.LaneStatus, error) { return nil, nil }

// serve runs a server for q on a real socket and returns its path and a function
// that stops it.
func serve(t *testing.T, q Operator) (path string, stop func()) {
	t.Helper()
	path = filepath.Join(t.TempDir(), SocketName)
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- NewServer(q, nil).Serve(ctx, l) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	}
	t.Cleanup(stop)
	return path, stop
}

func entry(id, lane string, state spool.State) dispatch.Entry {
	next := time.Date(2030, 5, 6, 7, 8, 9, 0, time.UTC)
	return dispatch.Entry{
		QueueID: spool.QueueID(id), From: "ann@example.org", Address: smtp.Path("bob@" + lane + ".example"), State: state,
		Cause: "auth.credentials-rejected", Reply: "535 5.7.8 no", NextAttempt: &next, Attempts: 3, Lane: lane, LanePaused: true,
		Size: 1 << 20, Received: next.Add(-time.Hour), Actor: "user", Retry: "no", Why: "because", Do: []string{"this", "that"}, Unsure: true,
	}
}

func list(t *testing.T, c *Client, f dispatch.Filter) ([]dispatch.Entry, error) {
	t.Helper()
	var all []dispatch.Entry
	for e, err := range c.List(t.Context(), f) {
		if err != nil {
			return all, err
		}
		all = append(all, e)
	}
	return all, nil
}

func TestClient_ListComesOverUnaltered(t *testing.T) {
	q := &queue{entries: []dispatch.Entry{entry("a", "m365", spool.StateQueued), entry("b", "direct/x", spool.StateHeld), {}}}
	path, _ := serve(t, q)
	c := NewClient(path)
	for _, tc := range []struct {
		name   string
		filter dispatch.Filter
		want   []dispatch.Entry
	}{
		{"everything", dispatch.Filter{}, q.entries},
		{"by lane with a slash", dispatch.Filter{Lane: "direct/x"}, q.entries[1:2]},
		{"by states", dispatch.Filter{States: []string{"queued", "held"}}, q.entries[:2]},
		{"by id", dispatch.Filter{ID: "a"}, q.entries[:1]},
		{"nothing", dispatch.Filter{Lane: "none"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := list(t, c, tc.filter)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("List(%+v), -want +got:\n%s", tc.filter, diff)
			}
		})
	}
}

func TestClient_LongListIsWholeAndMayBeLeft(t *testing.T) {
	q := &queue{}
	for i := range 5000 {
		q.entries = append(q.entries, entry(fmt.Sprint(i), "m365", spool.StateQueued))
	}
	path, _ := serve(t, q)
	c := NewClient(path)
	all, err := list(t, c, dispatch.Filter{})
	if err != nil || len(all) != len(q.entries) {
		t.Fatalf("got %d entries and %v, want %d", len(all), err, len(q.entries))
	}
	n := 0
	for range c.List(t.Context(), dispatch.Filter{}) {
		if n++; n == 10 {
			break
		}
	}
	if n != 10 {
		t.Errorf("took %d entries, want 10", n)
	}
}

func TestClient_ListThatFailsInTheMiddleIsAnError(t *testing.T) {
	q := &queue{entries: []dispatch.Entry{entry("a", "m365", spool.StateQueued)}, fail: errors.New("disk is gone")}
	path, _ := serve(t, q)
	all, err := list(t, NewClient(path), dispatch.Filter{})
	if len(all) != 1 || err == nil || err.Error() != "disk is gone" {
		t.Errorf("got %d entries and %v, want 1 and the server's words", len(all), err)
	}
}

func TestClient_ListThatBreaksOffIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), SocketName)
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	h := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, `{"entry":{"queue_id":"a"}}`)
	})}
	served := make(chan error, 1)
	go func() { served <- h.Serve(l) }()
	all, err := list(t, NewClient(path), dispatch.Filter{})
	if len(all) != 1 || err == nil {
		t.Errorf("got %d entries and %v, want 1 and an error: the end mark is missing", len(all), err)
	}
	h.Close()
	<-served
}

func TestClient_OrdersCarryTheirSelection(t *testing.T) {
	q := &queue{}
	path, _ := serve(t, q)
	c := NewClient(path)
	for _, tc := range []struct {
		name string
		give func(context.Context, dispatch.Selection) (dispatch.Done, error)
		sel  dispatch.Selection
	}{
		{"retry", c.Retry, dispatch.Selection{IDs: []string{"a", "b"}}},
		{"hold", c.Hold, dispatch.Selection{Lane: "direct/example.net"}},
		{"resume", c.Resume, dispatch.Selection{All: true}},
		{"cancel", c.Cancel, dispatch.Selection{IDs: []string{"ä/\"?"}}},
	} {
		done, err := tc.give(t.Context(), tc.sel)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		if q.told != tc.name {
			t.Errorf("%s arrived as %s", tc.name, q.told)
		}
		if diff := cmp.Diff(tc.sel, q.which); diff != "" {
			t.Errorf("%s: selection, -sent +arrived:\n%s", tc.name, diff)
		}
		if done.Recipients != len(tc.sel.IDs) || len(done.Skipped) != 1 {
			t.Errorf("%s: done is %+v", tc.name, done)
		}
	}
	q.fail = errors.New("no lane of this name")
	if _, err := c.Hold(t.Context(), dispatch.Selection{Lane: "x"}); err == nil || err.Error() != "no lane of this name" {
		t.Errorf("a refused order is %v, want the server's words", err)
	}
}

func TestClient_ShowAndNotFound(t *testing.T) {
	q := &queue{entries: []dispatch.Entry{entry("a", "m365", spool.StateQueued)}}
	path, _ := serve(t, q)
	c := NewClient(path)
	d, err := c.Show(t.Context(), "a")
	if err != nil || len(d.Entries) != 1 || d.Entries[0].QueueID != "a" {
		t.Errorf("Show(a) is %+v, %v", d, err)
	}
	for _, id := range []string{"b", "a/../b", "?", "ä b"} {
		if _, err := c.Show(t.Context(), id); !errors.Is(err, spool.ErrNotFound) {
			t.Errorf("Show(%q) is %v, want ErrNotFound", id, err)
		}
	}
	if lanes, err := c.Lanes(t.Context()); err != nil || lanes == nil {
		t.Errorf("Lanes is %v, %v, want an empty list", lanes, err)
	}
	i, err := c.Info(t.Context())
	if err != nil || i.PID != os.Getpid() || i.Started.IsZero() {
		t.Errorf("Info is %+v, %v", i, err)
	}
}

func TestClient_FlushWaitsForItsEnd(t *testing.T) {
	q := &queue{flush: make(chan struct{}), begun: make(chan struct{})}
	path, _ := serve(t, q)
	flushed := make(chan error, 1)
	go func() { flushed <- NewClient(path).Flush(t.Context()) }()
	<-q.begun
	select {
	case err := <-flushed:
		t.Fatalf("Flush returned %v before it was done", err)
	default:
	}
	close(q.flush)
	if err := <-flushed; err != nil {
		t.Error(err)
	}
}

func TestServer_StopEndsAFlush(t *testing.T) {
	q := &queue{flush: make(chan struct{}), begun: make(chan struct{})}
	path, stop := serve(t, q)
	flushed := make(chan error, 1)
	go func() { flushed <- NewClient(path).Flush(t.Context()) }()
	<-q.begun
	stop()
	if err := <-flushed; err == nil || !strings.Contains(err.Error(), "stopping") {
		t.Errorf("a flush that the server's end cut off is %v, want an error that says so", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestServer_RefusesWhatItCannotRead(t *testing.T) {
	for _, tc := range []struct {
		name, method, path, body string
		want                     int
	}{
		{"no JSON", "POST", "/v1/queue/retry", "retry all", http.StatusBadRequest},
		{"an empty body", "POST", "/v1/queue/cancel", "", http.StatusBadRequest},
		{"nothing selected", "POST", "/v1/queue/cancel", `null`, http.StatusBadRequest},
		{"more than one value", "POST", "/v1/queue/cancel", `{"All": true} {"All": true}`, http.StatusBadRequest},
		{"an unknown field", "POST", "/v1/queue/cancel", `{"al": true}`, http.StatusBadRequest},
		{"a body that is too large", "POST", "/v1/queue/hold", `{"IDs": ["` + strings.Repeat("x", maxRequest) + `"]}`, http.StatusBadRequest},
		{"an order that does not exist", "POST", "/v1/queue/burn", `{}`, http.StatusNotFound},
		{"a path that does not exist", "GET", "/", "", http.StatusNotFound},
		{"an order without POST", "GET", "/v1/flush", "", http.StatusNotFound},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q := &queue{}
			w := httptest.NewRecorder()
			NewServer(q, nil).routes().ServeHTTP(&deadlines{w}, httptest.NewRequest(tc.method, tc.path, strings.NewReader(tc.body)))
			if w.Code != tc.want || !strings.Contains(w.Body.String(), `"error"`) {
				t.Errorf("%s %s answers %d %s, want %d with an error", tc.method, tc.path, w.Code, w.Body, tc.want)
			}
			if q.told != "" {
				t.Errorf("it was carried out as %s", q.told)
			}
		})
	}
}

// deadlines is a recorder that takes write deadlines, as a connection does.
type deadlines struct{ *httptest.ResponseRecorder }

func (d *deadlines) SetWriteDeadline(time.Time) error { return nil }

// FuzzServer_Order: no body makes the server panic, and a body that is refused
// carries nothing out.
func FuzzServer_Order(f *testing.F) {
	for _, s := range []string{`{"IDs":["a"]}`, `{"All":true}`, `{"Lane":"x"} trailing`, `[]`, `null`, "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		q := &queue{}
		w := httptest.NewRecorder()
		NewServer(q, nil).routes().ServeHTTP(&deadlines{w}, httptest.NewRequest("POST", "/v1/queue/retry", strings.NewReader(body)))
		if (w.Code == http.StatusOK) != (q.told == "retry") {
			t.Errorf("%q: status %d, carried out: %q", body, w.Code, q.told)
		}
	})
}

func TestClient_WorriesComeOverUnaltered(t *testing.T) {
	path := filepath.Join(t.TempDir(), SocketName)
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	until := time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)
	want := []worry.Worry{{Kind: worry.Expiring, Subject: "m365", What: "the client secret ends", Until: &until, Do: []string{"make a new one"}}}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	s := NewServer(&queue{}, nil)
	s.Worries = func(context.Context) ([]worry.Worry, error) { return want, nil }
	go func() { served <- s.Serve(ctx, l) }()
	got, err := NewClient(path).Worries(t.Context())
	if err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	plain, _ := serve(t, &queue{}) // a server without anybody to ask
	if got, err := NewClient(plain).Worries(t.Context()); err != nil || got == nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}
