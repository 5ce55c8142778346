package traffic_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wellsent/wellsent/test/traffic"
)

func TestLoad_EveryMessageArrivesOnce(t *testing.T) {
	for _, o := range []traffic.SinkOptions{{}, {NoPipelining: true}, {Keep: true}} {
		sink := open(t, o)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		var mu sync.Mutex
		accepted := map[string]bool{}
		r, err := traffic.Load{Address: sink.Addr(), Name: "once", Connections: 5, Messages: 200, Size: 2000, Accepted: func(id string) {
			mu.Lock()
			defer mu.Unlock()
			accepted[id] = true
		}}.Run(ctx)
		if err != nil || r.Accepted != 200 || sink.Count() != 200 || len(accepted) != 200 {
			t.Fatalf("%+v: accepted %d (%d ids), taken %d, error %v; want 200", o, r.Accepted, len(accepted), sink.Count(), err)
		}
		for id, n := range sink.Seen() {
			if n != 1 || !accepted[id] {
				t.Errorf("%s arrived %d times, reported %v", id, n, accepted[id])
			}
		}
		if o.Keep {
			m := sink.Messages()[0]
			if !bytes.Contains(m.Data, []byte("quick brown")) || m.To[0] != "bob@recipient.test" || !strings.HasPrefix(m.Mail, "<ann@sender.test>") {
				t.Errorf("kept %+v", m)
			}
		}
	}
}

func TestLoad_RefusedMessageEndsAnImpatientLoad(t *testing.T) {
	sink := open(t, traffic.SinkOptions{Refuse: func(string) int { return 450 }})
	r, err := traffic.Load{Address: sink.Addr(), Name: "no", Messages: 3, Size: 500}.Run(context.Background())
	if err == nil || !strings.Contains(err.Error(), "450") || r.Accepted != 0 {
		t.Errorf("result %+v, error %v; want one with 450", r, err)
	}
}

func TestLoad_PatientLoadOutlivesItsServer(t *testing.T) {
	first := open(t, traffic.SinkOptions{})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	second := make(chan *traffic.Sink, 1)
	go func() {
		defer close(second)
		if first.WaitCount(ctx, 50) != nil {
			return
		}
		first.Close()
		s, err := traffic.NewSink(traffic.SinkOptions{Address: first.Addr()})
		if err == nil {
			second <- s
		}
	}()
	r, err := traffic.Load{Address: first.Addr(), Name: "patient", Connections: 4, Messages: 2000, Size: 500, Patient: true}.Run(ctx)
	s := <-second
	if s == nil {
		t.Fatal("the second sink did not open")
	}
	defer s.Close()
	if err != nil || r.Accepted != 2000 || r.Broken == 0 {
		t.Errorf("result %+v, error %v; want 2000 accepted over broken connections", r, err)
	}
	if n := first.Count() + s.Count(); n < 2000 {
		t.Errorf("the sinks have %d of 2000", n)
	}
}

func open(t *testing.T, o traffic.SinkOptions) *traffic.Sink {
	t.Helper()
	s, err := traffic.NewSink(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}
