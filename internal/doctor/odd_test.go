package doctor

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
)

// raw serves connections by a function and returns the endpoint.
func raw(t *testing.T, serve func(net.Conn)) Endpoint {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		l.Close()
		running.Wait()
	})
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })()
				serve(c)
			})
		}
	})
	a := l.Addr().(*net.TCPAddr)
	return Endpoint{a.IP.String(), a.Port}
}

// dialogue says a greeting and answers each line by its first word, "" for others;
// "!" closes.
func dialogue(greeting string, answers map[string]string) func(net.Conn) {
	return func(c net.Conn) {
		fmt.Fprint(c, greeting)
		br := bufio.NewReader(c)
		for {
			line, err := br.ReadString('\n')
			if err != nil {
				return
			}
			verb, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(line)), " ")
			a, ok := answers[verb]
			if !ok {
				a = answers[""]
			}
			if a == "!" {
				return
			}
			fmt.Fprint(c, a)
		}
	}
}

// under puts a dialogue under TLS at once.
func under(config *tls.Config, serve func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) { serve(tls.Server(c, config)) }
}

// What stands at ports beside what is usually tested.
func TestRun_OddServers(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	good := &tls.Config{Certificates: []tls.Certificate{a.leaf(t, nil)}}
	ehlo := "250-mail.example.org\r\n250-PIPELINING\r\n250 AUTH PLAIN LOGIN\r\n"
	envelope := func(q Question) Question { q.From, q.To = testUser, "bob@example.net"; return q }
	login := func(q Question) Question { q.User, q.Password = testUser, testPassword; return q }
	with := func(s Security) func(Question) Question {
		return func(q Question) Question { q.Security = s; return q }
	}
	for _, tt := range []struct {
		name  string
		serve func(net.Conn)
		asked []func(Question) Question
		want  []cause.ID
	}{
		{"Redis", dialogue("", map[string]string{"": "-ERR unknown command 'EHLO'\r\n"}), nil, []cause.ID{"service.wrong-protocol-other"}},
		{"MySQL", dialogue("J\x00\x00\x00\x0a8.0.36\x00\x08\x00\x00\x00", nil), nil, []cause.ID{"service.wrong-protocol-other"}},
		{"NNTP", dialogue("200 news.example.org InterNetNews ready\r\n", map[string]string{"": "500 What?\r\n"}), nil, []cause.ID{"service.wrong-protocol-other"}},
		{"ManageSieve", dialogue("\"IMPLEMENTATION\" \"Dovecot Pigeonhole\"\r\n\"STARTTLS\"\r\nOK \"ready\"\r\n", map[string]string{"": "NO \"unknown\"\r\n"}), nil, []cause.ID{"service.wrong-protocol-other"}},
		{"LMTP", dialogue("220 mail.example.org LMTP Dovecot ready\r\n", map[string]string{"": "500 5.5.1 Unknown command\r\n", "LHLO": ehlo}), nil, []cause.ID{"service.wrong-protocol-other"}},
		{"FTP", dialogue("220 ProFTPD Server (Debian)\r\n", map[string]string{"": "500 EHLO not understood\r\n"}), nil, []cause.ID{"service.wrong-protocol-other"}},
		{"FTP that does not say so", dialogue("220-FileZilla Server 1.7.3\r\n220 Welcome\r\n", map[string]string{"": "500 Syntax error, command unrecognized.\r\n"}), nil, []cause.ID{"service.wrong-protocol-other"}},
		{"a mail server that knows no greeting", dialogue("220 mail.example.org ready\r\n", map[string]string{"": "500 5.5.2 Syntax error\r\n"}), nil, []cause.ID{"protocol.syntax-error"}},
		{"web server with TLS, STARTTLS wanted", under(good, dialogue("", map[string]string{"": "HTTP/1.1 400 Bad Request\r\n\r\n"})), []func(Question) Question{with(StartTLS)}, []cause.ID{"service.wrong-protocol-http"}},
		{"web server with TLS, found out", under(good, dialogue("", map[string]string{"": "HTTP/1.1 400 Bad Request\r\n\r\n"})), nil, []cause.ID{"service.wrong-protocol-http"}},
		{"web server with TLS, TLS wanted", under(good, dialogue("", map[string]string{"": "HTTP/1.1 400 Bad Request\r\n\r\n"})), []func(Question) Question{with(Implicit)}, []cause.ID{"service.wrong-protocol-http"}},
		{"closes after TLS at once", under(good, func(c net.Conn) { c.(*tls.Conn).Handshake() }), []func(Question) Question{with(Implicit)}, []cause.ID{"net.connection-lost"}},
		{"closes after STARTTLS", starttls(good, func(c *tls.Conn) { c.Handshake() }), nil, []cause.ID{"net.connection-lost"}},
		{"closes at STARTTLS", dialogue("220 x.example.org\r\n", map[string]string{"EHLO": "250-x\r\n250 STARTTLS\r\n", "STARTTLS": "!"}), nil, []cause.ID{"net.connection-lost", "tls.handshake-failed"}},
		{"rubbish after STARTTLS", dialogue("220 x.example.org\r\n", map[string]string{"EHLO": "250-x\r\n250 STARTTLS\r\n", "STARTTLS": "220 go\r\nhello hello hello\r\n"}), nil, []cause.ID{"tls.handshake-failed", "protocol.synchronisation"}},
		{"greets over several lines", dialogue("220-mail.example.org ESMTP\r\n220-no spam here\r\n220 ready\r\n", map[string]string{"EHLO": ehlo, "": "250 ok\r\n", "QUIT": "!"}), []func(Question) Question{with(Clear)}, nil},
		{"ends lines with a bare line feed", dialogue("220 mail.example.org ESMTP\n", map[string]string{"EHLO": "250 mail.example.org\n", "": "250 ok\n"}), []func(Question) Question{with(Clear), envelope}, nil},
		{"knows HELO only", dialogue("220 old.example.org\r\n", map[string]string{"EHLO": "500 unknown command\r\n", "": "250 ok\r\n"}), []func(Question) Question{with(Clear), envelope}, nil},
		{"greets with 554", dialogue("554 5.7.1 no SMTP service here\r\n", nil), nil, []cause.ID{"server.not-accepting-mail"}},
		{"closes at once", func(net.Conn) {}, nil, []cause.ID{"net.connection-lost"}},
		{"greets and closes", dialogue("220 mail.example.org\r\n", map[string]string{"": "!"}), nil, []cause.ID{"net.connection-lost"}},
		{"wants a login at EHLO", dialogue("220 mail.example.org\r\n", map[string]string{"EHLO": ehlo, "MAIL": "530 5.7.0 Authentication required\r\n", "": "250 ok\r\n"}), []func(Question) Question{with(Clear), envelope}, []cause.ID{"auth.required"}},
		{"421 at MAIL", dialogue("220 mail.example.org\r\n", map[string]string{"EHLO": ehlo, "MAIL": "421 4.3.2 Service shutting down\r\n", "": "250 ok\r\n"}), []func(Question) Question{with(Clear), envelope}, []cause.ID{"server.temporary-failure"}},
		{"AUTH goes away under TLS", starttls(good, func(c *tls.Conn) {
			dialogue("", map[string]string{"EHLO": "250 mail.example.org\r\n", "": "250 ok\r\n"})(c)
		}), []func(Question) Question{login}, []cause.ID{"auth.not-offered"}},
		{"silent after TLS", starttls(good, func(c *tls.Conn) { bufio.NewReader(c).ReadString(0) }), nil, []cause.ID{"net.timeout"}},
		{"a login that is closed upon", starttls(good, func(c *tls.Conn) { dialogue("", map[string]string{"EHLO": ehlo, "AUTH": "!", "": "250 ok\r\n"})(c) }), []func(Question) Question{login}, []cause.ID{"net.connection-lost"}},
		{"postscreen's 521", dialogue("521 5.3.2 mail.example.org does not accept mail\r\n", nil), nil, []cause.ID{"server.not-accepting-mail"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := raw(t, tt.serve)
			q := Question{Host: e.Host, Port: e.Port, Roots: a.pool, Hostname: "client.example.org", Timeout: 10 * time.Second, Typed: true}
			q.at(zone(t, ""))
			for _, change := range tt.asked {
				q = change(q)
			}
			r := Run(t.Context(), q)
			got := cause.ID("")
			if len(r.Findings) > 0 {
				got = r.Findings[0].Cause
			}
			if got == "" && len(tt.want) > 0 || got != "" && !slices.Contains(tt.want, got) {
				t.Errorf("root cause %q (%s), want %q", got, r.Verdict, tt.want)
				for _, f := range r.Findings {
					t.Logf("%s %q", f.Confidence, f.Seen)
				}
				for _, i := range r.Evidence {
					t.Log(i.Probe, i.About, i.Outcome)
				}
			}
		})
	}
}

// starttls greets, offers STARTTLS and goes on by serve under TLS.
func starttls(config *tls.Config, serve func(*tls.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		fmt.Fprint(c, "220 mail.example.org ESMTP\r\n")
		br := bufio.NewReader(c)
		for {
			line, err := br.ReadString('\n')
			if err != nil {
				return
			}
			switch {
			case strings.HasPrefix(line, "EHLO"):
				fmt.Fprint(c, "250-mail.example.org\r\n250 STARTTLS\r\n")
			case strings.HasPrefix(line, "STARTTLS"):
				fmt.Fprint(c, "220 go ahead\r\n")
				serve(tls.Server(c, config))
				return
			default:
				fmt.Fprint(c, "250 ok\r\n")
			}
		}
	}
}

// Of two faults the one that is met first is the root cause.
func TestRun_TwoFaults(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	old := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().AddDate(0, -3, 0), time.Now().AddDate(0, 0, -3)
	}
	for _, tt := range []struct {
		name string
		make func(*fake)
		ask  Question
		want cause.ID
	}{
		{"expired, and the password is wrong", func(s *fake) { s.config.Certificates[0] = a.leaf(t, old) }, Question{User: testUser, Password: "wrong"}, "tls.certificate-expired"},
		{"STARTTLS stripped, and a login", func(s *fake) { s.noTLS = true; s.before = append(s.before, "AUTH PLAIN") }, Question{User: testUser, Password: testPassword}, "tls.starttls-not-offered"},
		{"STARTTLS stripped, and mail wants a login", func(s *fake) {
			s.noTLS = true
			s.replies = map[string]string{"MAIL": "530 5.7.0 Authentication required"}
		}, Question{From: testUser, To: "bob@example.net"}, "tls.starttls-not-offered"},
		{"the password is wrong, and the sender another's", func(s *fake) {
			s.replies = map[string]string{"MAIL": "553 5.7.1 Sender address rejected: not owned by user"}
		}, Question{User: testUser, Password: "wrong", From: "ceo@example.org", To: "bob@example.net"}, "auth.credentials-rejected"},
		{"TLS at once on a STARTTLS port, and the password is wrong", func(*fake) {}, Question{Security: Implicit, User: testUser, Password: "wrong"}, "tls.implicit-on-starttls-port"},
		{"EHLO refused, and the certificate expired", func(s *fake) {
			s.config.Certificates[0] = a.leaf(t, old)
			s.replies = map[string]string{"EHLO web_01": "550 5.7.1 bad HELO", "HELO web_01": "550 5.7.1 bad HELO"}
		}, Question{Hostname: "web_01"}, "sender.bad-helo"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := well(t, a)
			tt.make(s)
			e := s.start(t)
			q := tt.ask
			q.Host, q.Port, q.Roots = e.Host, e.Port, a.pool
			ask(t, q, tt.want)
		})
	}
}
