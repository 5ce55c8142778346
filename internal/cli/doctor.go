package cli

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wellsent/wellsent/internal/doctor"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/provider"
	"github.com/wellsent/wellsent/internal/resolver"
	"github.com/wellsent/wellsent/internal/smtpclient"
)

// exitUnsure is the exit code of a doctor who could not decide.
const exitUnsure = 3

// lookUpWait is how long a name server has: a person waits, and resolv.conf's 5 s
// are for programs.
const lookUpWait = 2 * time.Second

// doctorFlags are the flags of doctor as they were given.
type doctorFlags struct {
	security, user, passwordFile, auth, tokenFile string
	from, to                                      string
	send                                          bool
	imap, pop                                     string
	resolver, ca, proxy, proxyPassword            string
	controls, selectors, blocklists               []string
	timeout                                       time.Duration
	ignoreHistory                                 bool
	html                                          string
	markdown                                      bool
	configOf, client, helo                        string
	web                                           bool
	route                                         string
	login                                         string           // the questions' address, with which no login is tried; "" where one is
	said                                          *explain.Finding // what the program's error says by itself; nil: nothing
	end                                           func()           // what the question needs no more; nil: nothing
}

func (a *app) doctorCommand() *cobra.Command {
	var f doctorFlags
	c := &cobra.Command{
		Use:   "doctor [TARGET]",
		Short: "Find out why mail cannot be sent, and what to do",
		Long: `Find out why mail cannot be sent by a server: the name, the network, the kind of
server, its encryption, the login, the envelope. No mail is sent without --send.

TARGET is a mail address, host, host:port, smtp://host or smtps://host. With
--config-of FILE the settings are those of a program: a relay (msmtp, Postfix,
Exim), a mail program (Thunderbird, an export of Outlook), an application
(Nextcloud, Gitea, WordPress, Django, Spring), or environment variables (.env,
docker-compose.yml). With nothing at all it asks three questions.

--route NAME tests a route of the configuration file, as the server would use
it. For one that logs in by OAuth it names the step that fails (tenant, app,
secret, consent, permission, service principal, mailbox), with the
administrator's command to mend it.

A server on the Internet that cannot be reached, that says nothing, or for which
another one seems to answer, is compared with smtp.gmail.com and
smtp.office365.com; a public test page is asked whether a sign-in page stands
between, and two web servers for the time where a certificate is outside its
dates. --control names others in their place. Two public name servers are asked
where the machine's own does not answer, unless --resolver is given.

A server that is not reached is also tried through the proxies of the
environment (ALL_PROXY, HTTPS_PROXY, HTTP_PROXY, but for hosts of NO_PROXY);
--proxy none leaves them alone.

The password goes over verified TLS only, and is tried twice at most.
It exits with 0 when all works, 1 when something was found, 3 when it cannot
tell.`,
		Example: `  wellsent doctor ann@example.org
  wellsent doctor smtp.example.org:587 --user ann@example.org
  wellsent doctor --config-of ~/.msmtprc --json`,
		RunE: func(c *cobra.Command, words []string) error { return a.doctor(c, words, &f) },
	}
	g := c.Flags()
	g.SortFlags = false
	g.StringVar(&f.security, "security", "auto", "`MODE` of encryption: auto, starttls, tls (at once), none")
	g.StringVar(&f.user, "user", "", "log in as `NAME`")
	g.StringVar(&f.passwordFile, "password-file", "", "read the password from `FILE`, or - for standard input")
	g.StringVar(&f.auth, "auth", "", "log in by this SASL `MECHANISM` only: "+strings.Join(smtpclient.Mechanisms, ", "))
	g.StringVar(&f.tokenFile, "oauth-token-file", "", "log in with the OAuth access token in `FILE`")
	g.StringVar(&f.from, "from", "", "ask whether mail from `ADDR` is taken")
	g.StringVar(&f.to, "to", "", "ask whether mail to `ADDR` is taken")
	g.BoolVar(&f.send, "send", false, "send a real message to --to, or to your own address")
	g.StringVar(&f.imap, "imap", "", "try the same login at this IMAP server (`HOST[:PORT]`) if SMTP refuses it")
	g.StringVar(&f.pop, "pop", "", "the same with a POP3 server (`HOST[:PORT]`)")
	g.StringVar(&f.resolver, "resolver", "", "look every name up at `HOST:PORT`, and nowhere else")
	g.StringVar(&f.ca, "ca", "", "trust the certificates in `FILE` beside the system's roots")
	g.StringVar(&f.proxy, "proxy", "", "connect through `URL`: socks5://host:port or http://host:port; none: not even through those of the environment")
	g.StringVar(&f.proxyPassword, "proxy-password-file", "", "read the password of the user in --proxy from `FILE`")
	g.StringArrayVar(&f.controls, "control", nil, "`HOST:PORT` known to be up, to tell a blocked port from a dead server; may be repeated")
	g.StringArrayVar(&f.selectors, "selector", nil, "look for the DKIM key of this `NAME`; may be repeated")
	g.StringArrayVar(&f.blocklists, "blocklist", nil, "look your address and domain up in the block list `ZONE`; may be repeated, and no other is asked")
	g.StringVar(&f.helo, "helo", "", "greet with `NAME` (default: this machine's)")
	g.DurationVar(&f.timeout, "timeout", doctor.DefaultTimeout, "take no longer than `DURATION`")
	g.BoolVar(&f.ignoreHistory, "ignore-history", false, "log in although it was refused several times just now")
	g.StringVar(&f.configOf, "config-of", "", "test the settings in a program's configuration `FILE`")
	g.StringVar(&f.route, "route", "", "test the route called `NAME` of the configuration, its tokens too")
	g.StringVar(&f.client, "for", "", "show the steps in this `PROGRAM`: "+strings.Join(doctor.Clients(), ", "))
	g.StringVar(&f.html, "html", "", "write the report as one HTML page to `FILE`")
	g.BoolVar(&f.markdown, "markdown", false, "print the report as Markdown, for a ticket")
	g.BoolVar(&f.web, "web", false, "ask the three questions on a page in your browser, on this machine only")
	return c
}

// doctor answers one question.
func (a *app) doctor(c *cobra.Command, words []string, f *doctorFlags) error {
	if f.web {
		return a.doctorWeb(c, words, f)
	}
	q, err := a.doctorQuestion(c, words, f)
	if f.end != nil {
		defer f.end()
	}
	if err != nil {
		return err
	}
	ctx, stop := interruptible(c.Context())
	defer stop()
	show := a.doctorProgress()
	q.Progress = show.step
	r := doctor.Run(ctx, *q)
	show.end()
	if ctx.Err() != nil { // what was cut off proves nothing
		return &exitError{code: exitUnsure, text: "given up: nothing can be said before all is tried"}
	}
	if f.html != "" {
		if err := writeHTML(f.html, r); err != nil {
			return err
		}
	}
	switch {
	case a.json:
		err = a.printJSON(r)
	case f.markdown:
		_, err = a.stdout.Write([]byte(r.Markdown()))
	default:
		err = a.printReport(r, f)
	}
	if err != nil {
		return err
	}
	switch r.Verdict {
	case doctor.Problem:
		return didNot()
	case doctor.Unsure:
		return &exitError{code: exitUnsure}
	}
	return nil
}

func writeHTML(path string, r *doctor.Report) error {
	b, err := r.HTML()
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// doctorQuestion returns the question that the command line asks.
func (a *app) doctorQuestion(c *cobra.Command, words []string, f *doctorFlags) (*doctor.Question, error) {
	q := &doctor.Question{
		User: f.user, Mechanism: strings.ToUpper(f.auth), From: f.from, To: f.to, Send: f.send,
		Selectors: f.selectors, Blocklists: f.blocklists, Hostname: f.helo, Timeout: f.timeout, IgnoreHistory: f.ignoreHistory, Security: doctor.Security(f.security),
	}
	if err := checkDoctorFlags(c, words, f, q); err != nil {
		return nil, err
	}
	q.State = a.stateDir()
	if err := doctorNetwork(c, f, q); err != nil {
		return nil, err
	}
	var err error
	switch {
	case f.configOf != "":
		err = a.targetOfProgram(c, f, q)
	case f.route != "":
		f.end, err = a.targetOfRoute(c, f, q)
	case len(words) == 1:
		err = a.targetOf(c, words[0], f, q)
	case terminal(a.stdin):
		err = a.askQuestions(c, f, q)
	default:
		err = wrongUse(c, "give a mail address or a server; there is no terminal to ask on")
	}
	if err != nil {
		return nil, err
	}
	if err := a.doctorSecrets(c, f, q); err != nil {
		return nil, err
	}
	if q.Send && q.To == "" {
		if q.To = q.Address; q.To == "" && q.Grant != nil {
			q.To = q.Grant.Mailbox
		}
		if q.To == "" {
			return nil, wrongUse(c, "--send needs --to ADDR")
		}
	}
	return q, nil
}

// checkDoctorFlags refuses what cannot be meant.
func checkDoctorFlags(c *cobra.Command, words []string, f *doctorFlags, q *doctor.Question) error {
	switch {
	case len(words) > 1:
		return wrongUse(c, "one target at a time; %q is one more", printable(words[1]))
	case f.route != "" && (len(words) == 1 || f.configOf != ""):
		return wrongUse(c, "--route names the target: leave out the other")
	case f.route != "" && (f.user != "" || f.passwordFile != "" || f.tokenFile != ""):
		return wrongUse(c, "--route has its own login: leave out --user, --password-file and --oauth-token-file")
	case len(words) == 1 && f.configOf != "":
		return wrongUse(c, "give a target or --config-of, not both")
	case !slices.Contains([]doctor.Security{doctor.Auto, doctor.StartTLS, doctor.Implicit, doctor.Clear}, q.Security):
		return wrongUse(c, "--security is auto, starttls, tls or none, not %q", printable(f.security))
	case q.Mechanism != "" && !slices.Contains(smtpclient.Mechanisms, q.Mechanism):
		return wrongUse(c, "--auth is one of %s, not %q", strings.Join(smtpclient.Mechanisms, ", "), printable(f.auth))
	case f.timeout <= 0:
		return wrongUse(c, "--timeout is longer than nothing")
	case f.client != "" && !slices.Contains(doctor.Clients(), f.client):
		return wrongUse(c, "--for is one of %s, not %q", strings.Join(doctor.Clients(), ", "), printable(f.client))
	case f.passwordFile != "" && f.tokenFile != "":
		return wrongUse(c, "give a password or a token, not both")
	}
	for _, addr := range []string{f.from, f.to} {
		if addr != "" && !strings.Contains(addr, "@") {
			return wrongUse(c, "%q is no mail address", printable(addr))
		}
	}
	return nil
}

// doctorNetwork sets what names, connections and certificates go by.
func doctorNetwork(c *cobra.Command, f *doctorFlags, q *doctor.Question) error {
	o := resolver.Options{Timeout: lookUpWait}
	if f.resolver != "" {
		server := f.resolver
		if _, _, err := net.SplitHostPort(server); err != nil {
			server = net.JoinHostPort(strings.Trim(server, "[]"), "53")
		}
		o.Servers, o.Hosts, q.OnlyResolver = []string{server}, os.DevNull, true // the hosts file is somewhere else too
	} else {
		q.Others = []string{"1.1.1.1:53", "9.9.9.9:53"} // asked only where the system's do not answer
	}
	q.Resolver = resolver.New(o)
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return usageError("read the certificates of --ca: %s", err)
		}
		roots, err := x509.SystemCertPool()
		if err != nil {
			roots = x509.NewCertPool()
		}
		if !roots.AppendCertsFromPEM(pem) {
			return usageError("%s holds no certificate in PEM form", printable(f.ca))
		}
		q.Roots = roots
	}
	if err := doctorProxy(c, f, q); err != nil {
		return err
	}
	for _, s := range f.controls {
		e, err := endpoint(s, 0)
		if err != nil || e.Port == 0 {
			return wrongUse(c, "--control is HOST:PORT, not %q", printable(s))
		}
		q.Controls = append(q.Controls, e)
	}
	for protocol, s := range map[string]string{"imap": f.imap, "pop3": f.pop} {
		if s == "" {
			continue
		}
		in, err := incomingOf(protocol, s)
		if err != nil {
			return wrongUse(c, "%s", err)
		}
		q.Incoming = append(q.Incoming, in)
	}
	return nil
}

// incomingOf reads the value of --imap or --pop.
func incomingOf(protocol, s string) (doctor.Incoming, error) {
	in := doctor.Incoming{Protocol: protocol, Security: doctor.Auto, Typed: true}
	secure := protocol + "s"
	port := map[string]int{"imap": 993, "pop3": 995}[protocol]
	scheme, rest, ok := strings.Cut(s, "://")
	switch {
	case !ok:
		rest = s
	case scheme == protocol:
		in.Security, port = doctor.StartTLS, map[string]int{"imap": 143, "pop3": 110}[protocol]
	case scheme == secure:
		in.Security = doctor.Implicit
	default:
		return in, fmt.Errorf("%q is no %s server", printable(s), protocol)
	}
	var err error
	in.Endpoint, err = endpoint(strings.TrimSuffix(rest, "/"), port)
	return in, err
}

// endpoint reads host, host:port or an IPv6 address with or without brackets.
func endpoint(s string, port int) (doctor.Endpoint, error) {
	host := s
	if h, p, err := net.SplitHostPort(s); err == nil {
		n, err := strconv.Atoi(p)
		if err != nil || n < 1 || n > 65535 {
			return doctor.Endpoint{}, fmt.Errorf("%q is no port", printable(p))
		}
		host, port = h, n
	} else if net.ParseIP(strings.Trim(s, "[]")) == nil && strings.Contains(s, ":") {
		return doctor.Endpoint{}, fmt.Errorf("%q is no host and port", printable(s))
	}
	host = strings.Trim(host, "[]")
	if host == "" || strings.ContainsAny(host, " /@") {
		return doctor.Endpoint{}, fmt.Errorf("%q is no host", printable(s))
	}
	return doctor.Endpoint{Host: host, Port: port}, nil
}

// targetOf sets the server that a word of the command line names.
func (a *app) targetOf(c *cobra.Command, word string, f *doctorFlags, q *doctor.Question) error {
	scheme, rest, isURL := strings.Cut(word, "://")
	switch {
	case isURL && (scheme == "smtp" || scheme == "smtps"):
		if user, host, ok := cutLast(rest, "@"); ok {
			name, _, hasPassword := strings.Cut(user, ":")
			if hasPassword {
				return wrongUse(c, "a password on the command line is seen by every user of this machine: give --password-file")
			}
			if rest = host; q.User == "" {
				q.User = name
			}
		}
		rest, _, _ = strings.Cut(rest, "/")
		if scheme == "smtps" && q.Security == doctor.Auto {
			q.Security = doctor.Implicit
		} else if q.Security == doctor.Auto && !strings.HasSuffix(rest, ":25") {
			q.Security = doctor.StartTLS // smtp:// is not TLS at once
		}
	case isURL:
		return wrongUse(c, "a server is smtp://… or smtps://…, not %s://…", printable(scheme))
	case strings.Contains(word, "@"):
		return a.targetOfAddress(c, word, q)
	default:
		rest = word
	}
	e, err := endpoint(rest, 0)
	if err != nil {
		return wrongUse(c, "%s", err)
	}
	q.Host, q.Port, q.Typed = asciiHost(e.Host), e.Port, true
	if q.Port == 0 {
		knownPort(q)
	}
	return nil
}

// asciiHost returns a host as certificates have it. What is no name stays as it is,
// for the look-up to say so.
func asciiHost(host string) string {
	if ascii, err := resolver.ToASCII(host); err == nil {
		return ascii
	}
	return host
}

// knownPort sets the port that a provider prefers for its server.
func knownPort(q *doctor.Question) {
	for _, u := range provider.ByHost(q.Host) {
		if u.Role != provider.RoleOutgoing {
			continue
		}
		for _, s := range u.Servers {
			if q.Security == doctor.Auto || string(s.Security) == string(q.Security) {
				q.Port, q.Security = s.Port, doctor.Security(s.Security)
				return
			}
		}
	}
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// doctorSecrets reads the password or the token.
func (a *app) doctorSecrets(c *cobra.Command, f *doctorFlags, q *doctor.Question) error {
	var err error
	switch {
	case f.tokenFile != "":
		q.Token, err = passwordFile(f.tokenFile)
		q.Token = strings.TrimSpace(q.Token)
	case f.passwordFile == "-":
		q.Password, err = readPassword(a.stdin, "standard input")
	case f.passwordFile != "":
		q.Password, err = passwordFile(f.passwordFile)
	case q.Grant != nil:
	case q.User != "" && q.Password == "" && terminal(a.stdin):
		q.Password, err = a.askHidden(c.Context(), "Password for "+printable(q.User)+" (empty: do not log in): ")
		if q.Password == "" {
			q.User = ""
		}
	}
	if err != nil {
		var e *exitError
		if errors.As(err, &e) {
			return err
		}
		return usageError("%s", err)
	}
	if q.User == "" && (q.Password != "" || q.Token != "") {
		if q.User = q.LoginName; q.User == "" {
			q.User = q.Address
		}
		if q.User == "" {
			return wrongUse(c, "a password needs --user NAME")
		}
	}
	return nil
}
