package dispatch

import (
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/deliver"
	"github.com/wellsent/wellsent/internal/evidence"
)

// The table of actions, row by row.
func TestDecide(t *testing.T) {
	const (
		local, remote, network = evidence.OriginLocal, evidence.OriginRemote, evidence.OriginNetwork
		route, host, conn      = evidence.ScopeRoute, evidence.ScopeHost, evidence.ScopeConnection
		deferred, failed       = deliver.Deferred, deliver.Failed
	)
	for _, c := range []struct {
		name string
		f    facts
		want Action
	}{
		{"delivered", facts{status: deliver.Delivered}, ActDeliver},
		{"the line died after the dot", facts{status: deliver.Uncertain, stage: evidence.StagePostData, origin: network, cause: "net.connection-lost", smartHost: true}, ActUncertain},
		{"connect refused", facts{status: deferred, stage: evidence.StageConnect, scope: host, origin: network, cause: "net.refused", smartHost: true}, ActDown},
		{"exchanger out of reach", facts{status: deferred, stage: evidence.StageConnect, scope: host, origin: network, cause: "delivery.host-unreachable"}, ActDown},
		{"name server fails", facts{status: deferred, stage: evidence.StageResolve, scope: host, origin: network, cause: "dns.lookup-failed"}, ActDown},
		{"no such domain", facts{status: failed, stage: evidence.StageResolve, origin: network, cause: "recipient.domain-not-found"}, ActFail},
		{"null MX", facts{status: failed, stage: evidence.StageResolve, origin: network, cause: "recipient.null-mx"}, ActFail},
		{"554 greeting", facts{status: deferred, stage: evidence.StageGreeting, scope: host, origin: remote, code: 554, cause: "server.not-accepting-mail", smartHost: true}, ActDown},
		{"421 greeting, too many connections", facts{status: deferred, stage: evidence.StageGreeting, scope: host, origin: remote, code: 421, cause: "limit.connections", smartHost: true}, ActThrottle},
		{"password refused", facts{status: deferred, stage: evidence.StageAuth, scope: route, origin: remote, code: 535, cause: "auth.credentials-rejected", smartHost: true}, ActPause},
		{"login switched off", facts{status: deferred, stage: evidence.StageAuth, scope: route, origin: remote, code: 535, cause: "auth.smtp-auth-disabled", smartHost: true}, ActPause},
		{"smart host's certificate", facts{status: deferred, stage: evidence.StageTLS, scope: host, origin: network, cause: "tls.certificate-expired", smartHost: true}, ActPause},
		{"exchanger's certificate", facts{status: deferred, stage: evidence.StageTLS, scope: host, origin: network, cause: "tls.certificate-expired"}, ActDown},
		{"handshake broken off", facts{status: deferred, stage: evidence.StageTLS, scope: host, origin: network, cause: "net.connection-lost", smartHost: true}, ActDown},
		{"STARTTLS not now", facts{status: deferred, stage: evidence.StageStartTLS, scope: host, origin: remote, code: 454, cause: "tls.server-unavailable", smartHost: true}, ActDown},
		{"STARTTLS stripped", facts{status: deferred, stage: evidence.StageStartTLS, scope: host, origin: local, cause: "tls.starttls-not-offered", smartHost: true}, ActPause},
		{"password file unreadable", facts{status: deferred, stage: evidence.StageClient, scope: route, origin: local, smartHost: true}, ActPause},
		{"send as denied", facts{status: failed, stage: evidence.StagePostData, origin: remote, code: 550, cause: "sender.send-as-denied", smartHost: true}, ActHoldSender},
		{"the route's own mailbox may not send", facts{status: failed, stage: evidence.StagePostData, origin: remote, code: 550, cause: "sender.send-as-denied", smartHost: true, asRoute: true}, ActPause},
		{"the route's own mailbox is unknown", facts{status: failed, stage: evidence.StageMail, origin: remote, code: 553, cause: "sender.address-invalid", smartHost: true, asRoute: true}, ActPause},
		{"one message as the route's mailbox, which has sent others", facts{status: failed, stage: evidence.StagePostData, origin: remote, code: 550, cause: "sender.send-as-denied", smartHost: true, asRoute: true, proven: true}, ActHoldSender},
		{"the quota of the route's own mailbox", facts{status: deferred, stage: evidence.StageMail, origin: remote, code: 450, cause: "limit.quota", smartHost: true, asRoute: true, proven: true}, ActThrottle},
		{"sender's quota", facts{status: deferred, stage: evidence.StageMail, origin: remote, code: 450, cause: "limit.quota", smartHost: true}, ActHoldSender},
		{"sender refused by an exchanger", facts{status: failed, stage: evidence.StageMail, origin: remote, code: 550, cause: "sender.domain-not-found"}, ActFail},
		{"relaying denied by the smart host", facts{status: failed, stage: evidence.StageRcpt, origin: remote, code: 554, cause: "relay.denied", smartHost: true}, ActPause},
		{"relaying denied to one recipient", facts{status: failed, stage: evidence.StageRcpt, origin: remote, code: 554, cause: "relay.denied", smartHost: true, proven: true}, ActFail},
		{"relaying denied by an exchanger", facts{status: failed, stage: evidence.StageRcpt, origin: remote, code: 554, cause: "relay.denied"}, ActFail},
		{"throttled", facts{status: deferred, stage: evidence.StageRcpt, origin: remote, code: 451, cause: "limit.rate"}, ActThrottle},
		{"rate exceeded for good", facts{status: failed, stage: evidence.StageRcpt, origin: remote, code: 550, cause: "limit.rate"}, ActFail},
		{"user unknown", facts{status: failed, stage: evidence.StageRcpt, origin: remote, code: 550, cause: "recipient.unknown", smartHost: true}, ActFail},
		{"content refused", facts{status: failed, stage: evidence.StagePostData, origin: remote, code: 554, cause: "message.spam", smartHost: true}, ActFail},
		{"greylisted", facts{status: deferred, stage: evidence.StageRcpt, origin: remote, code: 450, cause: "greylist.deferred"}, ActDefer},
		{"the line died during AUTH", facts{status: deferred, stage: evidence.StageAuth, scope: conn, origin: network, cause: "net.connection-lost", smartHost: true}, ActDown},
		{"the login service fails", facts{status: deferred, stage: evidence.StageAuth, scope: host, origin: remote, code: 454, cause: "auth.server-failure", smartHost: true}, ActDown},
		{"the line died at RCPT", facts{status: deferred, stage: evidence.StageRcpt, scope: conn, origin: network, cause: "net.connection-lost", smartHost: true}, ActDefer},
		{"the smart host's daily allowance", facts{status: failed, stage: evidence.StageRcpt, origin: remote, code: 550, cause: "limit.rate", smartHost: true}, ActThrottle},
		{"nobody can class it, 4yz", facts{status: deferred, stage: evidence.StageRcpt, origin: remote, code: 450, smartHost: true}, ActDefer},
		{"nobody can class it, 5yz", facts{status: failed, stage: evidence.StageRcpt, origin: remote, code: 550, smartHost: true}, ActFail},
	} {
		if got := decide(c.f); got != c.want {
			t.Errorf("%s: %s, want %s (%+v)", c.name, got, c.want, c.f)
		}
	}
}

func TestStood_CountsTheOverlap(t *testing.T) {
	at := func(minute int) time.Time {
		return time.Unix(1_700_000_000, 0).Add(time.Duration(minute) * time.Minute)
	}
	pauses := []pause{{From: at(0), Until: at(10)}, {From: at(20), Until: at(30)}, {From: at(50)}}
	for _, c := range []struct{ a, b, want int }{
		{0, 10, 10}, {5, 25, 10}, {11, 19, 0}, {0, 60, 30}, {55, 60, 5}, {30, 50, 0},
	} {
		if got := stood(pauses, at(c.a), at(c.b)); got != time.Duration(c.want)*time.Minute {
			t.Errorf("from %d to %d: %v, want %d minutes", c.a, c.b, got, c.want)
		}
	}
}

func TestAfter_TheLastRepeats(t *testing.T) {
	for n, want := range map[int]time.Duration{0: time.Minute, 1: time.Minute, 2: 2 * time.Minute, 8: 4 * time.Hour, 99: 4 * time.Hour} {
		if got := after(DefaultRetry, n); got != want {
			t.Errorf("after %d attempts: %v, want %v", n, got, want)
		}
	}
}

func TestAddPause_TheOldestMerge(t *testing.T) {
	var pauses []pause
	start := time.Unix(1_700_000_000, 0)
	for i := range 2 * keptPauses {
		at := start.Add(time.Duration(i) * time.Hour)
		pauses = addPause(pauses, at)
		pauses = addPause(pauses, at) // it goes on: no second one
		endPause(pauses, at.Add(time.Minute))
	}
	if len(pauses) != keptPauses || !pauses[0].From.Equal(start) {
		t.Errorf("%d pauses from %v", len(pauses), pauses[0].From)
	}
}

func TestEffectiveExpiry(t *testing.T) {
	received := time.Unix(1_700_000_000, 0)
	at := func(hour int) time.Time { return received.Add(time.Duration(hour) * time.Hour) }
	const most = 100 * time.Hour
	for _, c := range []struct {
		name     string
		expireAt int
		pauses   []pause
		now      int
		want     time.Time
	}{
		{"never paused", 100, nil, 100, at(100)},
		{"paused for a while", 100, []pause{{at(10), at(30)}}, 100, at(120)},
		{"paused still", 100, []pause{{at(10), time.Time{}}}, 100, at(190)},
		{"paused at its very end", 100, []pause{{at(100), time.Time{}}}, 100, at(100).Add(expiryLook)},
		{"paused before it came", 100, []pause{{at(-50), at(-20)}}, 100, at(100)},
		{"found again after a pause", 120, []pause{{at(10), at(30)}}, 120, at(120)},
		{"an operator gave it more time", 250, nil, 249, at(250)},
		{"the timetable was shortened", 50, nil, 50, at(50)},
	} {
		l := life{received: received, expireAt: at(c.expireAt), most: most, pauses: c.pauses}
		if got := effectiveExpiry(l, at(c.now)); !got.Equal(c.want) {
			t.Errorf("%s: %v after it came, want %v", c.name, got.Sub(received), c.want.Sub(received))
		}
	}
}
