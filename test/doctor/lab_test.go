package doctor

import (
	"net"
	"os"
	"testing"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/lab"
)

// hidden are scenarios whose root no probe of the doctor can tell, and what it may
// say instead.
var hidden = map[string][]cause.ID{
	"auth.smtp-auth-disabled/plain": {"auth.credentials-rejected"}, // told by a login elsewhere: TestLab_ALoginThatWorksElsewhere
	"tls.handshake-failed/closed":   {"net.connection-lost"},
	"net.smtp-inspection":           nil,
}

// TestLab_EveryScenario has the doctor look at each scenario of the lab, told what
// a person would be told. Without the table only those of TLS and of the login are
// run: the tests of package doctor meet them all, in one process.
func TestLab_EveryScenario(t *testing.T) {
	for _, sc := range lab.Scenarios() {
		if sc.ID == "ok/imap" || sc.ID == "ok/pop3" {
			continue
		}
		if f := sc.Cause.Family(); os.Getenv(tableVariable) == "" && (f != "tls" && f != "auth" || sc.ID != string(sc.Cause)) {
			continue
		}
		t.Run(sc.ID, func(t *testing.T) {
			t.Parallel()
			o := lab.Options{Cause: sc.ID}
			if sc.Port != 0 {
				if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", "0")); err == nil {
					o.Listen = l.Addr().String() // the doctor goes by the port: see TestLab_IncomingPorts
					l.Close()
				}
			}
			s, err := lab.Start(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			k := kase{name: "lab " + sc.ID, want: sc.Cause, also: hidden[sc.ID], args: arguments(t, s)}
			if sc.Port != 0 {
				k.also = sc.Words
			}
			if sc.Harmless && sc.ID != "tls.handshake-failed/weak-key" { // that one harms others
				k.want, k.unsure = "", sc.ID == "net.slow-greeting/tarpit" // more than the doctor's time
				if sc.Cause == "net.slow-greeting" {
					k.warning = sc.Cause
				}
			}
			ask(t, k)
			if t.Failed() {
				t.Log(s.Transcript())
			}
		})
	}
}

// arguments returns how the doctor is asked about a scenario.
func arguments(t *testing.T, s *lab.Server) []string {
	set := s.Settings()
	args := []string{set.URL()}
	switch set.Security {
	case "none":
		args = append(args, "--security", "none")
	case "starttls":
		args = append(args, "--security", "starttls")
	}
	switch {
	case set.Auth != "":
		args = append(args, "--user", set.User, "--auth", set.Auth, "--oauth-token-file", file(t, "token", set.Password))
	case set.User != "":
		args = append(args, "--user", set.User, "--password-file", file(t, "password", set.Password))
	}
	if set.CA != "" {
		args = append(args, "--ca", file(t, "ca.pem", set.CA))
	}
	args = append(args, "--from", set.From, "--to", set.To)
	switch sc := s.Scenario(); {
	case sc.Stage == evidence.StageData, sc.Stage == evidence.StagePostData, sc.Cause == "message.too-large":
		args = append(args, "--send")
	}
	return args
}

// TestLab_ALoginThatWorksElsewhere: SMTP refuses a password that IMAP takes.
func TestLab_ALoginThatWorksElsewhere(t *testing.T) {
	for protocol, flag := range map[string]string{"imap": "--imap", "pop3": "--pop"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			out, err := lab.Start(t.Context(), lab.Options{Cause: "auth.smtp-auth-disabled/plain"})
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			in, err := lab.Start(t.Context(), lab.Options{Cause: "ok/" + protocol})
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			// One CA file holds both roots.
			args := arguments(t, out)
			args = append(args, "--ca", file(t, "ca.pem", out.Settings().CA+in.Settings().CA), flag, in.Settings().Address())
			r := ask(t, kase{name: "lab login works at " + protocol, want: "auth.smtp-auth-disabled", args: args})
			if len(r.Findings) > 0 && r.Findings[0].Confidence != "likely" {
				t.Errorf("it is %s of it; no more than likely can be known", r.Findings[0].Confidence)
			}
		})
	}
}
