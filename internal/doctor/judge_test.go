package doctor

import (
	"crypto/x509"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/resolver"
	"github.com/wellsent/wellsent/internal/smtp"
)

var (
	four = netip.MustParseAddr("203.0.113.5")
	six  = netip.MustParseAddr("2001:db8::5")
)

// connectTo is one attempt to reach the target.
func connectTo(a netip.Addr, o Outcome) Connect {
	return Connect{Endpoint: Endpoint{"mail.example.org", 587}, Address: a, Why: connectTarget, Outcome: o, Took: 5 * time.Second}
}

func otherPort(port int, o Outcome) Connect {
	return Connect{Endpoint: Endpoint{"mail.example.org", port}, Address: four, Why: connectOther, Outcome: o}
}

func control(port int, o Outcome) Connect {
	return Connect{Endpoint: Endpoint{"control.example.net", port}, Address: four, Why: connectControl, Outcome: o}
}

// works is a conversation on another port that got as far as EHLO.
func works(port int, s Security) *Talk {
	return &Talk{Endpoint: Endpoint{"mail.example.org", port}, Security: s, Why: talkPort, TLS: "TLS 1.3", Verified: true, Spoke: ProtoSMTP, Record: &evidence.Record{}}
}

func TestJudge_Network(t *testing.T) {
	up, down := &Local{Up: true, IPv6: true}, &Local{}
	for _, tt := range []struct {
		name     string
		local    *Local
		connects []Connect
		talks    []*Talk
		controls []Endpoint
		want     cause.ID
		sure     explain.Confidence
	}{
		{"refused", up, []Connect{connectTo(four, Refused)}, nil, nil, "net.refused", explain.Certain},
		{"refused on one address, silent on the other", up, []Connect{connectTo(six, Silent), connectTo(four, Refused)}, nil, nil, "net.refused", explain.Certain},
		{"silent, nothing known", up, []Connect{connectTo(four, Silent)}, nil, nil, "net.timeout", explain.Possible},
		{"silent, other ports refuse, the control answers here", up, []Connect{connectTo(four, Silent), otherPort(465, Refused), control(587, Open)}, nil, []Endpoint{{"control.example.net", 587}}, "net.timeout", explain.Likely},
		{"silent here and at the control, which answers elsewhere", up, []Connect{connectTo(four, Silent), control(587, Silent), control(443, Open)}, nil, []Endpoint{{"control.example.net", 587}}, "net.port-blocked", explain.Likely},
		{"refused here and at the control, which answers elsewhere", up, []Connect{connectTo(four, Refused), control(587, Refused), control(443, Open)}, nil, []Endpoint{{"control.example.net", 587}}, "net.port-blocked", explain.Likely},
		{"the control refuses a port it was not said to serve", up, []Connect{connectTo(four, Silent), control(587, Refused), control(443, Open)}, nil, []Endpoint{{"control.example.net", 443}}, "net.timeout", explain.Possible},
		{"all ports silent, the control answers", up, []Connect{connectTo(four, Silent), otherPort(465, Silent), otherPort(25, Silent), control(587, Open)}, nil, []Endpoint{{"control.example.net", 587}}, "net.host-down", explain.Likely},
		{"all is silent, the control too", up, []Connect{connectTo(four, Silent), otherPort(465, Silent), control(587, Silent)}, nil, []Endpoint{{"control.example.net", 587}}, "net.offline", explain.Likely},
		{"refused, another port works", up, []Connect{connectTo(four, Refused)}, []*Talk{works(465, Implicit)}, nil, "service.wrong-port", explain.Likely},
		{"refused, another port works, the control answers here", up, []Connect{connectTo(four, Refused), control(587, Open)}, []*Talk{works(465, Implicit)}, []Endpoint{{"control.example.net", 587}}, "service.wrong-port", explain.Certain},
		{"silent, another port works, no control", up, []Connect{connectTo(four, Silent)}, []*Talk{works(465, Implicit)}, nil, "service.wrong-port", explain.Possible},
		{"silent, another port works, the control is silent here", up, []Connect{connectTo(four, Silent), control(587, Silent)}, []*Talk{works(465, Implicit)}, []Endpoint{{"control.example.net", 587}}, "net.port-blocked", explain.Likely},
		{"no interface", down, []Connect{connectTo(four, Unreachable)}, nil, nil, "net.offline", explain.Certain},
		{"no route", up, []Connect{connectTo(four, Unreachable)}, nil, nil, "net.unreachable", explain.Certain},
		{"own firewall", up, []Connect{connectTo(four, Denied)}, nil, nil, "net.port-blocked", explain.Certain},
		{"proxy", up, []Connect{connectTo(four, ByProxy)}, nil, nil, "net.proxy-refused", explain.Certain},
	} {
		q := &Question{Host: "mail.example.org", Port: 587, Security: Auto, Controls: tt.controls}
		f := &Facts{Local: tt.local, Names: []Name{{Name: q.Host, Why: nameTarget, Addresses: []netip.Addr{four}}}, Connects: tt.connects, Talks: tt.talks}
		r := NewReport(q, f)
		if len(r.Findings) != 1 || r.Findings[0].Cause != tt.want || r.Findings[0].Confidence != tt.sure {
			t.Errorf("%s: got %+v, want %s, %s", tt.name, r.Findings, tt.want, tt.sure)
		}
	}
}

// Who registers a slip for a known name gives it an address, and serves no mail there.
func TestJudge_SlipWithAnAddress(t *testing.T) {
	at := func(c Connect) Connect { c.Host = "smtp.gmial.com"; return c }
	blocked := []Endpoint{{"control.example.net", 587}}
	for _, tt := range []struct {
		name     string
		connects []Connect
		want     cause.ID
	}{
		{"it refuses", []Connect{at(connectTo(four, Refused))}, "dns.misspelt"},
		{"it is silent", []Connect{at(connectTo(four, Silent)), control(587, Open)}, "dns.misspelt"},
		{"the port is blocked", []Connect{at(connectTo(four, Silent)), control(587, Silent), control(443, Open)}, "net.port-blocked"},
		{"nothing is reached", []Connect{at(connectTo(four, Silent)), control(587, Silent)}, "net.offline"},
	} {
		q := &Question{Host: "smtp.gmial.com", Port: 587, Security: Auto, Controls: blocked}
		f := &Facts{Local: &Local{Up: true}, Names: []Name{{Name: q.Host, Why: nameTarget, Addresses: []netip.Addr{four}}}, Connects: tt.connects}
		r := NewReport(q, f)
		if r.Findings[0].Cause != tt.want || tt.want == "dns.misspelt" && !strings.Contains(r.Findings[0].Do[0], "smtp.gmail.com") {
			t.Errorf("%s: got %+v, want %s", tt.name, r.Findings, tt.want)
		}
	}
}

// A run that somebody ends does not say that its time was over.
func TestJudge_Stopped(t *testing.T) {
	q := &Question{Host: "mail.example.org", Port: 587, Security: Auto, Timeout: 20 * time.Second}
	for stopped, want := range map[bool]string{true: "interrupted", false: "20 s"} {
		r := NewReport(q, &Facts{OutOfTime: true, Stopped: stopped})
		if r.Verdict != Unsure || len(r.Untested) != 1 || !strings.Contains(r.Untested[0], want) {
			t.Errorf("stopped %v: %s, %q", stopped, r.Verdict, r.Untested)
		}
	}
}

// A token of another user is named beside the login that it was shown for.
func TestJudge_TokenOfAnother(t *testing.T) {
	talk := &Talk{Endpoint: Endpoint{"mail.example.org", 587}, Security: StartTLS, Why: talkTarget, TLS: "TLS 1.3", Verified: true, Spoke: ProtoSMTP, Record: &evidence.Record{}}
	q := &Question{Host: "mail.example.org", Port: 587, Security: StartTLS, User: "ann@example.org", Token: "t"}
	f := &Facts{
		Names: []Name{{Name: q.Host, Why: nameTarget, Addresses: []netip.Addr{four}}}, Connects: []Connect{connectTo(four, Open)}, Talks: []*Talk{talk},
		Logins: []Login{{User: q.User, Mechanism: "XOAUTH2", Failure: &evidence.Error{Stage: evidence.StageAuth, Origin: evidence.OriginRemote, Reply: reply535()}}},
	}
	for user, want := range map[string]bool{"bob@example.org": true, "Ann@example.org": false} {
		f.Token = &Token{Readable: true, User: user}
		x := NewReport(q, f).Findings[0]
		if got := strings.Contains(x.Do[0], "log in as "+user); got != want || x.Cause != "auth.oauth-token-rejected" {
			t.Errorf("%s: %s, %q", user, x.Cause, x.Do[0])
		}
	}
}

func TestJudge_IPv6(t *testing.T) {
	for _, tt := range []struct {
		name     string
		host     string
		local    *Local
		connects []Connect
		want     bool
	}{
		{"silent, IPv4 works", "mail.example.org", &Local{Up: true}, []Connect{connectTo(six, Silent), connectTo(four, Open)}, true},
		{"refused, IPv4 works", "mail.example.org", &Local{Up: true}, []Connect{connectTo(six, Refused), connectTo(four, Open)}, true},
		{"no route and no IPv6 here", "mail.example.org", &Local{Up: true}, []Connect{connectTo(six, Unreachable), connectTo(four, Open)}, false},
		{"no route and IPv6 here", "mail.example.org", &Local{Up: true, IPv6: true}, []Connect{connectTo(six, Unreachable), connectTo(four, Open)}, true},
		{"both work", "mail.example.org", &Local{Up: true}, []Connect{connectTo(six, Open), connectTo(four, Open)}, false},
		{"both are silent", "mail.example.org", &Local{Up: true}, []Connect{connectTo(six, Silent), connectTo(four, Silent)}, false},
		{"loopback by name", "localhost", &Local{Up: true}, []Connect{connectTo(six, Refused), connectTo(four, Open)}, false},
	} {
		j := &judge{q: &Question{Host: tt.host, Port: 587}, f: &Facts{Local: tt.local, Connects: tt.connects}}
		if got := j.ipv6() != nil; got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// What does not resolve hides all else, and so on down the ladder.
func TestJudge_LadderHidesWhatFollows(t *testing.T) {
	q := &Question{Host: "nothere.example.org", Port: 143, Security: Auto}
	f := &Facts{
		Names:    []Name{{Name: q.Host, Why: nameTarget, Kind: resolver.KindNoName}},
		Connects: []Connect{connectTo(four, Refused)},
	}
	if r := NewReport(q, f); len(r.Findings) != 1 || r.Findings[0].Cause != "dns.name-not-found" {
		t.Errorf("got %+v", r.Findings)
	}
	f.Names[0] = Name{Name: q.Host, Why: nameTarget, Addresses: []netip.Addr{four}}
	if r := NewReport(q, f); len(r.Findings) != 1 || r.Findings[0].Cause != "service.incoming-server" {
		t.Errorf("got %+v", r.Findings)
	}
}

func TestJudge_ClockNeedsAnotherClock(t *testing.T) {
	now := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	leaf := &x509.Certificate{NotBefore: now.AddDate(6, 0, 0), NotAfter: now.AddDate(7, 0, 0), DNSNames: []string{"mail.example.org"}}
	invalid := x509.CertificateInvalidError{Cert: leaf, Reason: x509.Expired}
	talk := &Talk{
		Endpoint: Endpoint{"mail.example.org", 587}, Security: StartTLS, Why: talkTarget, Spoke: ProtoSMTP, Chain: []*x509.Certificate{leaf}, VerifyError: invalid,
		Failure: &evidence.Error{Origin: evidence.OriginNetwork, Stage: evidence.StageTLS, Err: invalid}, Record: &evidence.Record{},
	}
	q := &Question{Host: "mail.example.org", Port: 587, Security: Auto, Now: func() time.Time { return now }}
	f := &Facts{Names: []Name{{Name: q.Host, Why: nameTarget, Addresses: []netip.Addr{four}}}, Connects: []Connect{connectTo(four, Open)}, Talks: []*Talk{talk}}
	says := func(years ...int) (clocks []Clock) {
		for _, y := range years {
			clocks = append(clocks, Clock{Source: "www.example.net:80", Says: now.AddDate(y, 1, 0).AddDate(0, -1, 0), Ours: now})
		}
		return clocks
	}
	within := Clock{Source: "www.example.com:443", Says: now.AddDate(6, 6, 0), Ours: now}
	for _, tt := range []struct {
		name   string
		clocks []Clock
		built  time.Time
		want   cause.ID
		sure   explain.Confidence
	}{
		{"no other clock", nil, time.Time{}, "tls.certificate-expired", explain.Certain},
		{"one agrees", says(0), time.Time{}, "tls.certificate-expired", explain.Certain},
		{"one disagrees", []Clock{within}, time.Time{}, "tls.clock-wrong", explain.Likely},
		{"two disagree", []Clock{within, within}, time.Time{}, "tls.clock-wrong", explain.Certain},
		{"one of three agrees", append(says(0), within, within), time.Time{}, "tls.clock-wrong", explain.Likely},
		{"one against one", append(says(0), within), time.Time{}, "tls.certificate-expired", explain.Certain},
		{"bad by that clock too", says(9), time.Time{}, "tls.certificate-expired", explain.Certain},
		{"before this program was made", nil, now.AddDate(6, 1, 0), "tls.clock-wrong", explain.Certain},
		{"on the day this program was made", nil, now.Add(time.Hour), "tls.certificate-expired", explain.Certain},
	} {
		f.Clocks, q.Built = tt.clocks, tt.built
		if r := NewReport(q, f); r.Findings[0].Cause != tt.want || r.Findings[0].Confidence != tt.sure {
			t.Errorf("%s: %s (%s), want %s (%s)", tt.name, r.Findings[0].Cause, r.Findings[0].Confidence, tt.want, tt.sure)
		}
	}
}

func reply535() smtp.Reply { return smtp.NewReply(535, 7, 8, "Authentication credentials invalid") }

func TestPlan(t *testing.T) {
	name := Name{Name: "mail.example.org", Why: nameTarget, Addresses: []netip.Addr{six, four}}
	q := func(change func(*Question)) *Question {
		q := &Question{Host: "mail.example.org", Port: 587, Security: Auto, Typed: true}
		if change != nil {
			change(q)
		}
		return q
	}
	good := &Talk{Endpoint: Endpoint{"mail.example.org", 587}, Security: StartTLS, Why: talkTarget, TLS: "TLS 1.3", Verified: true, Spoke: ProtoSMTP, Record: &evidence.Record{}}
	reached := []Connect{connectTo(four, Open)}
	refused := []Login{{User: "ann", Failure: &evidence.Error{Stage: evidence.StageAuth, Origin: evidence.OriginRemote, Reply: reply535()}}}
	for _, tt := range []struct {
		name string
		q    *Question
		f    *Facts
		want string // kinds
	}{
		{"nothing is known", q(nil), &Facts{}, "network name"},
		{"the domain is looked at beside", q(func(q *Question) { q.From = "ann@example.org" }), &Facts{}, "network name domain"},
		{"both families", q(nil), &Facts{Names: []Name{name}}, "connect connect"},
		{"a slip is not contacted", q(func(q *Question) { q.Meant = "example.org" }), &Facts{}, ""},
		{"a conversation", q(nil), &Facts{Names: []Name{name}, Connects: reached}, "talk"},
		{"all was asked", q(nil), &Facts{Names: []Name{name}, Connects: reached, Talks: []*Talk{good}}, ""},
		{"the login", q(func(q *Question) { q.User = "ann" }), &Facts{Names: []Name{name}, Connects: reached, Talks: []*Talk{good}}, "login"},
		{"the other form", q(func(q *Question) { q.User, q.Address = "ann", "ann@example.org" }), &Facts{Names: []Name{name}, Connects: reached, Talks: []*Talk{good}, Logins: refused}, "login"},
		{"never a third login", q(func(q *Question) { q.User, q.Address = "ann", "ann@example.org" }),
			&Facts{Names: []Name{name}, Connects: reached, Talks: []*Talk{good}, Logins: append(slices.Clone(refused), refused...)}, ""},
		{"the incoming server, once", q(func(q *Question) {
			q.User, q.Incoming = "ann@example.org", []Incoming{{Protocol: "imap"}, {Protocol: "pop3"}}
		}),
			&Facts{Names: []Name{name}, Connects: reached, Talks: []*Talk{good}, Logins: refused}, "incoming"},
		{"the envelope", q(func(q *Question) { q.From = "ann@example.org" }), &Facts{Names: []Name{name}, Connects: reached, Talks: []*Talk{good}}, "envelope"},
		{"no envelope after a refused login", q(func(q *Question) { q.User, q.From = "ann@example.org", "ann@example.org" }),
			&Facts{Names: []Name{name}, Connects: reached, Talks: []*Talk{good}, Logins: refused}, ""},
		{"other ports", q(nil), &Facts{Names: []Name{name}, Connects: []Connect{connectTo(four, Refused)}}, "talk talk talk"},
	} {
		var kinds []string
		for _, p := range plan(tt.q, tt.f) {
			kinds = append(kinds, string(p.kind))
		}
		if got := strings.Join(kinds, " "); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestCandidates(t *testing.T) {
	for _, tt := range []struct {
		host, address string
		want          []string
	}{
		{"smpt.example.org", "", []string{"smtp.example.org"}},
		{"smtp.exmaple.org", "ann@example.org", []string{"smtp.example.org"}},
		{"mial.example.org", "", []string{"mail.example.org"}},
		{"post.example.org", "", nil},
	} {
		if got := candidates(&Question{Host: tt.host, Address: tt.address}); !slices.Equal(got, tt.want) {
			t.Errorf("%s, %s: %v, want %v", tt.host, tt.address, got, tt.want)
		}
	}
}

func TestToken(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for claims, want := range map[string]string{
		`{"exp":1700000000}`: "expired",
		`{"exp":1900000000}`: "",
		`{"iss":"https://login.microsoftonline.com/x","aud":"https://graph.microsoft.com"}`:                    "audience",
		`{"iss":"https://login.microsoftonline.com/x","aud":"https://outlook.office.com","scp":"IMAP.All"}`:    "scopes",
		`{"iss":"https://login.microsoftonline.com/x","aud":"https://outlook.office.com","scp":"SMTP.Send"}`:   "",
		`{"iss":"https://sts.windows.net/x","aud":"https://outlook.office365.com","roles":["SMTP.SendAsApp"]}`: "",
		`{"aud":"https://outlook.office.com/","scp":"IMAP.AccessAsUser.All"}`:                                  "scopes",   // whoever has signed it, it is for Exchange Online
		`{"aud":"https://graph.microsoft.com","scp":"SMTP.Send"}`:                                              "audience", // and this one is not
		`{"iss":"https://sts.windows.net/x","aud":"https://outlook.office365.us","scp":"SMTP.Send"}`:           "",
		`{"iss":"https://accounts.google.com","aud":"other","scope":"https://mail.google.com/"}`:               "",
		`{"exp":"no number"}`: "",
	} {
		got := readToken(jwt(claims)).unfit(now)
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", claims, got, want)
		}
	}
	if readToken("ya29.opaque").Readable || readToken("a.!!.c").Readable {
		t.Error("an opaque token is said to be readable")
	}
}

func TestSteps_EveryProgramAndSecurity(t *testing.T) {
	for _, id := range Clients() {
		for _, s := range []Security{StartTLS, Implicit, Clear} {
			name, steps := Steps(id, &Works{Host: "smtp.example.org", Port: 587, Security: s, User: "ann@example.org"}, "")
			all := strings.Join(steps, "\n")
			if name == "" || !strings.Contains(all, "smtp.example.org") || !strings.Contains(all, "587") || !strings.Contains(all, "ann@example.org") {
				t.Errorf("%s, %s: %q", id, s, all)
			}
			for _, left := range []string{"{host}", "{port}", "{user}", "{mode}", "{from}"} {
				if strings.Contains(all, left) {
					t.Errorf("%s, %s: %s is left in %q", id, s, left, all)
				}
			}
		}
	}
	if _, steps := Steps("thunderbird", &Works{}, ""); steps != nil {
		t.Error("steps without settings")
	}
}

func TestScrub(t *testing.T) {
	secrets := []string{"hunter2!", "", "abc"}
	for in, want := range map[string]string{
		"535 hunter2! is wrong": "535 *** is wrong",
		"AUTH aHVudGVyMiE=":     "AUTH ***",
		"abc stays, too short":  "abc stays, too short",
	} {
		if got := scrub(in, secrets); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestShortName(t *testing.T) {
	for dn, want := range map[string]string{
		"CN=mail.example.org":                    "mail.example.org",
		"CN=Root CA,O=Example,C=DE":              "Root CA",
		`CN=Example\, Inc.+OU=Mail,C=DE`:         "Example, Inc.",
		"OU=Mail+CN=Internal Root CA,O=Example":  "Internal Root CA",
		`CN=Example Ltd Internal Root CA\,,C=GB`: "Example Ltd Internal Root CA,",
		"O=Example,C=DE":                         "O=Example,C=DE",
	} {
		if got := shortName(dn); got != want {
			t.Errorf("shortName(%q) = %q, want %q", dn, got, want)
		}
	}
}
