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
		deferred, failed       = deliver.Deferred, deliver.Failed
	)
	for _, c := range []struct {
		name string
		f    facts
		want Action
	}{
		{"delivered", facts{status: deliver.Delivered}, ActDeliver},
		{"the line died after the dot", facts{status: deliver.Uncertain, stage: evidence.StagePostData, origin: network, cause: "net.connection-lost", smartHost: true}, ActUncertain},
		{"connect refused", facts{status: deferred, stage: evidence.StageConnect, origin: network, cause: "net.refused", smartHost: true}, ActDown},
		{"exchanger out of reach", facts{status: deferred, stage: evidence.StageConnect, origin: network, cause: "delivery.host-unreachable"}, ActDown},
		{"name server fails", facts{status: deferred, stage: evidence.StageResolve, origin: network, cause: "dns.lookup-failed"}, ActDown},
		{"no such domain", facts{status: failed, stage: evidence.StageResolve, origin: network, cause: "recipient.domain-not-found"}, ActFail},
		{"null MX", facts{status: failed, stage: evidence.StageResolve, origin: network, cause: "recipient.null-mx"}, ActFail},
		{"554 greeting", facts{status: deferred, stage: evidence.StageGreeting, origin: remote, code: 554, cause: "server.not-accepting-mail", smartHost: true}, ActDown},
		{"421 greeting, too many connections", facts{status: deferred, stage: evidence.StageGreeting, origin: remote, code: 421, cause: "limit.connections", smartHost: true}, ActThrottle},
		{"password refused", facts{status: deferred, stage: evidence.StageAuth, origin: remote, code: 535, cause: "auth.credentials-rejected", smartHost: true}, ActPause},
		{"login switched off", facts{status: deferred, stage: evidence.StageAuth, origin: remote, code: 535, cause: "auth.smtp-auth-disabled", smartHost: true}, ActPause},
		{"smart host's certificate", facts{status: deferred, stage: evidence.StageTLS, origin: network, cause: "tls.certificate-expired", smartHost: true}, ActPause},
		{"exchanger's certificate", facts{status: deferred, stage: evidence.StageTLS, origin: network, cause: "tls.certificate-expired"}, ActDown},
		{"handshake broken off", facts{status: deferred, stage: evidence.StageTLS, origin: network, cause: "net.connection-lost", smartHost: true}, ActDown},
		{"STARTTLS not now", facts{status: deferred, stage: evidence.StageStartTLS, origin: remote, code: 454, cause: "tls.server-unavailable", smartHost: true}, ActDown},
		{"STARTTLS stripped", facts{status: deferred, stage: evidence.StageStartTLS, origin: local, cause: "tls.starttls-not-offered", smartHost: true}, ActPause},
		{"password file unreadable", facts{status: deferred, stage: evidence.StageClient, origin: local, smartHost: true}, ActPause},
		{"send as denied", facts{status: failed, stage: evidence.StagePostData, origin: remote, code: 550, cause: "sender.send-as-denied", smartHost: true}, ActHoldSender},
		{"sender's quota", facts{status: deferred, stage: evidence.StageMail, origin: remote, code: 450, cause: "limit.quota", smartHost: true}, ActHoldSender},
		{"sender refused by an exchanger", facts{status: failed, stage: evidence.StageMail, origin: remote, code: 550, cause: "sender.domain-not-found"}, ActFail},
		{"relaying denied by the smart host", facts{status: failed, stage: evidence.StageRcpt, origin: remote, code: 554, cause: "relay.denied", smartHost: true}, ActPause},
		{"relaying denied by an exchanger", facts{status: failed, stage: evidence.StageRcpt, origin: remote, code: 554, cause: "relay.denied"}, ActFail},
		{"throttled", facts{status: deferred, stage: evidence.StageRcpt, origin: remote, code: 451, cause: "limit.rate"}, ActThrottle},
		{"rate exceeded for good", facts{status: failed, stage: evidence.StageRcpt, origin: remote, code: 550, cause: "limit.rate"}, ActFail},
		{"user unknown", facts{status: failed, stage: evidence.StageRcpt, origin: remote, code: 550, cause: "recipient.unknown", smartHost: true}, ActFail},
		{"content refused", facts{status: failed, stage: evidence.StagePostData, origin: remote, code: 554, cause: "message.spam", smartHost: true}, ActFail},
		{"greylisted", facts{status: deferred, stage: evidence.StageRcpt, origin: remote, code: 450, cause: "greylist.deferred"}, ActDefer},
		{"nobody can class it, 4yz", facts{status: deferred, stage: evidence.StageRcpt, origin: remote, code: 450, smartHost: true}, ActDefer},
		{"nobody can class it, 5yz", facts{status: failed, stage: evidence.StageRcpt, origin: remote, code: 550, smartHost: true}, ActFail},
	} {
		if got := decide(c.f); got != c.want {
			t.Errorf("%s: %s, want %s (%+v)", c.name, got, c.want, c.f)
		}
	}
}

func TestPaused_CountsTheOverlap(t *testing.T) {
	at := func(minute int) time.Time {
		return time.Unix(1_700_000_000, 0).Add(time.Duration(minute) * time.Minute)
	}
	pauses := []pause{{From: at(0), Until: at(10)}, {From: at(20), Until: at(30)}, {From: at(50)}}
	for _, c := range []struct{ a, b, want int }{
		{0, 10, 10}, {5, 25, 10}, {11, 19, 0}, {0, 60, 30}, {55, 60, 5}, {30, 50, 0},
	} {
		if got := paused(pauses, at(c.a), at(c.b)); got != time.Duration(c.want)*time.Minute {
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
