package deliver

import (
	"testing"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/smtpclient"
)

// The hosts of the matrix. one is what has failed, the others what may be asked.
var (
	one     = host{name: "one.test", port: 587, smart: true, scheme: route.SchemeSMTP, login: loginPassword, written: "smtp://one.test:587"}
	port465 = host{name: "one.test", port: 465, smart: true, scheme: route.SchemeSMTPS, login: loginPassword, written: "smtps://one.test:465", rank: 1}
	two     = host{name: "two.test", port: 587, smart: true, scheme: route.SchemeSMTP, login: loginPassword, written: "smtp://two.test:587", rank: 2}
	byGraph = host{name: "graph.test", port: 443, smart: true, scheme: route.SchemeGraph, login: "token-graph", maxBytes: 150e6, written: "graph://", rank: 3}
	byGmail = host{name: "gmail.test", port: 443, smart: true, scheme: route.SchemeGmail, login: "token-gmail", maxBytes: 36_700_160, written: "gmail://", rank: 4}
	next    = host{name: "new.test", port: 587, smart: true, scheme: route.SchemeSMTP, login: loginPassword, succeeds: "one.test", after: "one.test", written: "smtp://new.test:587", rank: 5}
	mx      = host{name: "mx1.test", port: 25}
	mx2     = host{name: "mx2.test", port: 25}
)

// TestMayAsk is the matrix of falling over: who may be asked after which cause.
// The columns: another port of the host, another host, Graph, Gmail, the host's
// successor.
func TestMayAsk(t *testing.T) {
	const (
		local, remote, network   = evidence.OriginLocal, evidence.OriginRemote, evidence.OriginNetwork
		route, atHost, conn, msg = evidence.ScopeRoute, evidence.ScopeHost, evidence.ScopeConnection, evidence.ScopeMessage
	)
	for _, c := range []struct {
		cause  cause.ID
		stage  evidence.Stage
		origin evidence.Origin
		scope  evidence.Scope
		code   int
		from   host
		want   string // port465 two graph gmail successor
	}{
		{"dns.name-not-found", evidence.StageResolve, network, atHost, 0, one, "yyyyy"},
		{"dns.retired-endpoint", evidence.StageResolve, network, atHost, 0, one, "yyyyy"},
		{"net.port-blocked", evidence.StageConnect, network, atHost, 0, one, "yyyyy"},
		{"net.timeout", evidence.StageConnect, network, atHost, 0, one, "yyyyy"},
		{"net.refused", evidence.StageConnect, network, atHost, 0, one, "yyyyy"},
		{"net.timeout", evidence.StageGreeting, network, atHost, 0, one, "yyyyn"},
		{"tls.starttls-not-offered", evidence.StageStartTLS, local, route, 0, one, "yyyyn"},
		{"tls.certificate-expired", evidence.StageTLS, network, route, 0, one, "yyyyn"},
		{"tls.handshake-failed", evidence.StageTLS, network, atHost, 0, one, "yyyyn"},
		{"server.temporary-failure", evidence.StageGreeting, remote, atHost, 421, one, "yyyyn"},
		{"limit.connections", evidence.StageGreeting, remote, atHost, 421, one, "yyyyn"},
		{"auth.smtp-auth-disabled", evidence.StageAuth, remote, route, 535, one, "nyyyn"},
		{"auth.basic-auth-disabled", evidence.StageAuth, remote, route, 535, one, "nyyyn"},
		{"auth.not-offered", evidence.StageAuth, local, route, 0, one, "yyyyn"},
		{"auth.no-shared-mechanism", evidence.StageAuth, local, route, 0, one, "nyyyn"},
		{"auth.credentials-rejected", evidence.StageAuth, remote, route, 535, one, "nnyyn"},
		{"auth.account-disabled", evidence.StageAuth, remote, route, 535, one, "nnyyn"},
		{"auth.too-many-logins", evidence.StageAuth, remote, route, 535, one, "nnyyn"},
		{"auth.server-failure", evidence.StageAuth, remote, atHost, 454, one, "yyyyn"},
		{"client.bad-configuration", evidence.StageClient, local, route, 0, one, "nnyyn"},
		{"net.connection-lost", evidence.StageData, network, conn, 0, one, "yyyyn"},
		{"message.too-large", evidence.StageMail, local, msg, 552, one, "yyyyn"},
		{"message.too-large", evidence.StagePostData, remote, msg, 552, one, "yyyyn"},
		{"limit.rate", evidence.StageMail, remote, msg, 451, one, "nnnnn"},
		{"limit.quota", evidence.StageRcpt, remote, atHost, 421, one, "nnnnn"},
		{"recipient.unknown", evidence.StageRcpt, remote, evidence.ScopeRecipient, 550, one, "nnnnn"},
		{"message.spam", evidence.StagePostData, remote, msg, 554, one, "nnnnn"},
		{"sender.send-as-denied", evidence.StagePostData, remote, msg, 554, one, "nnnnn"},
		{"server.temporary-failure", evidence.StagePostData, remote, msg, 451, one, "nnnnn"},
		{"auth.oauth-token-rejected", evidence.StageAuth, remote, route, 535, byGraph, "yynyn"},
		{"auth.oauth-refresh-failed", evidence.StageAuth, local, route, 0, byGraph, "yynyn"},
		{"auth.oauth-scope", evidence.StageAuth, remote, route, 550, byGraph, "yynyn"},
		{"limit.rate", evidence.StageData, remote, atHost, 451, byGraph, "nnnnn"},
		{"server.temporary-failure", evidence.StageData, remote, atHost, 451, byGraph, "yyyyn"},
		{"sender.send-as-denied", evidence.StageMail, remote, evidence.ScopeSender, 550, byGraph, "nnnnn"},
		{"message.too-large", evidence.StageMail, local, msg, 552, byGraph, "yynyn"},
		{"net.timeout", evidence.StageConnect, network, atHost, 0, byGraph, "yyyyn"},
		{"message.too-large", evidence.StageMail, local, msg, 552, byGmail, "yyynn"},
	} {
		err := &evidence.Error{Cause: c.cause, Stage: c.stage, Origin: c.origin, Scope: c.scope}
		if c.code != 0 {
			err.Reply = smtp.NewReply(c.code, 0, 0, "words")
		}
		got := ""
		for _, h := range []host{port465, two, byGraph, byGmail, next} {
			if mayAskAll([]failure{{err: err, host: c.from, size: 1000}}, h) {
				got += "y"
			} else {
				got += "n"
			}
		}
		if got != c.want {
			t.Errorf("%s at %s of %s: %s, want %s", c.cause, c.stage, c.from.written, got, c.want)
		}
	}
}

// TestMayAsk_Size: only who takes more is asked with a message that was too large.
func TestMayAsk_Size(t *testing.T) {
	f := failure{err: &evidence.Error{Cause: "message.too-large", Stage: evidence.StageMail, Scope: evidence.ScopeMessage, Origin: evidence.OriginRemote, Reply: smtp.NewReply(552, 3, 4)}, host: one, size: 40_000_000}
	if mayAsk(f, byGmail) || !mayAsk(f, byGraph) || !mayAsk(f, two) {
		t.Errorf("gmail %v, graph %v, another smart host %v", mayAsk(f, byGmail), mayAsk(f, byGraph), mayAsk(f, two))
	}
}

// TestMayAsk_EveryFailureCounts: a password that one host has refused is shown to
// no other, however many there are between.
func TestMayAsk_EveryFailureCounts(t *testing.T) {
	refused := failure{err: &evidence.Error{Cause: "auth.credentials-rejected", Stage: evidence.StageAuth, Scope: evidence.ScopeRoute, Origin: evidence.OriginRemote, Reply: smtp.NewReply(535, 7, 8)}, host: one}
	down := failure{err: &evidence.Error{Cause: "net.timeout", Stage: evidence.StageConnect, Scope: evidence.ScopeHost, Origin: evidence.OriginNetwork}, host: byGraph}
	if mayAskAll([]failure{refused, down}, two) || !mayAskAll([]failure{refused, down}, byGmail) {
		t.Error("the refused password is shown to another host")
	}
}

// TestMayAsk_Exchangers: as ever between the exchangers of a domain. RFC 5321 §5.1.
func TestMayAsk_Exchangers(t *testing.T) {
	for _, c := range []struct {
		err  evidence.Error
		want bool
	}{
		{evidence.Error{Stage: evidence.StageConnect, Scope: evidence.ScopeHost, Origin: evidence.OriginNetwork, Cause: "delivery.host-unreachable"}, true},
		{evidence.Error{Stage: evidence.StageMail, Scope: evidence.ScopeHost, Origin: evidence.OriginRemote, Cause: "limit.connections", Reply: smtp.NewReply(421, 7, 0)}, true},
		{evidence.Error{Stage: evidence.StageMail, Scope: evidence.ScopeMessage, Origin: evidence.OriginRemote, Cause: "message.too-large", Reply: smtp.NewReply(552, 3, 4)}, false},
		{evidence.Error{Stage: evidence.StageRcpt, Scope: evidence.ScopeRecipient, Origin: evidence.OriginRemote, Cause: "recipient.unknown", Reply: smtp.NewReply(550, 1, 1)}, false},
		{evidence.Error{Stage: evidence.StageClient, Scope: evidence.ScopeRoute, Origin: evidence.OriginLocal, Cause: "client.bad-configuration"}, false},
		{evidence.Error{Stage: evidence.StageConnect, Scope: evidence.ScopeConnection, Origin: evidence.OriginLocal, Err: smtpclient.ErrGivenUp}, false},
	} {
		if got := mayAsk(failure{err: &c.err, host: mx}, mx2); got != c.want {
			t.Errorf("%v: %v", &c.err, got)
		}
	}
}
