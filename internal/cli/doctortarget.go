package cli

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wellsent/wellsent/internal/autoconfig"
	"github.com/wellsent/wellsent/internal/doctor"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/provider"
)

// settingsShare is the part of the time given that looking for settings may take.
const settingsShare = 0.4

// targetOfAddress sets the server of a mail address: as its provider's data, its
// domain's DNS or its domain's file have it, or as servers are usually called.
func (a *app) targetOfAddress(c *cobra.Command, address string, q *doctor.Question) error {
	q.Address = address
	ctx, cancel := context.WithTimeout(c.Context(), time.Duration(float64(q.Timeout)*settingsShare))
	defer cancel()
	client := autoconfig.NewClient(q.Resolver, &tls.Config{RootCAs: q.Roots})
	defer client.CloseIdleConnections()
	began := time.Now()
	found, err := autoconfig.Find(ctx, address, autoconfig.Options{
		Resolver: q.Resolver, Client: client,
		Probe: func(ctx context.Context, s provider.Server) error { // a guess must at least have an address; the doctor does the rest
			_, err := q.Resolver.Addresses(ctx, s.Host+".")
			return err
		},
	})
	q.Timeout = max(q.Timeout-time.Since(began), q.Timeout/2)
	_, domain, _ := cutLast(address, "@")
	switch {
	case errors.Is(err, autoconfig.ErrBadAddress):
		return wrongUse(c, "%q is no mail address", printable(address))
	case err != nil: // the time was over; what follows says why
		a.guessServer(domain, q, "no settings for "+domain+" were found in time")
		return nil
	case found.Misspelt != "":
		q.Host, q.Port, q.Meant = domain, 587, found.Misspelt
		return nil
	}
	if p := found.Provider; p != nil && !p.Works() {
		q.Origin = append(append(q.Origin, p.Name+" serves no mail programs"), p.Setup...)
	}
	best, ok := found.Best()
	if !ok {
		a.guessServer(domain, q, "nobody publishes settings for "+domain)
		return nil
	}
	out := pickOutgoing(best.Outgoing, q.Security)
	q.Host, q.Port = out.Host, out.Port
	if q.Security == doctor.Auto {
		q.Security = doctor.Security(out.Security)
	}
	// Settings of another domain that came over DNS or plain HTTP may be forged: the
	// password goes there only when the person names the host. One of the address's own
	// domain proves its name by its certificate, wherever the settings came from.
	q.Typed = autoconfig.Within(domain, q.Host) || !best.Foreign && best.Trust != autoconfig.TrustPlain || best.Source == autoconfig.FromProvider || best.Source == autoconfig.FromProviderMX
	if q.User == "" && out.User != "" {
		q.LoginName = out.User
	}
	where := fmt.Sprintf("server %s: %s", doctor.Endpoint{Host: q.Host, Port: q.Port}, sourceWords(best))
	q.Origin = append(q.Origin, where)
	q.Incoming = append(q.Incoming, knownIncoming(best, q)...)
	return nil
}

// pickOutgoing returns the server that fits the security that was asked for, else
// the preferred one.
func pickOutgoing(all []autoconfig.Outgoing, want doctor.Security) autoconfig.Outgoing {
	for _, o := range all {
		if string(o.Security) == string(want) {
			return o
		}
	}
	return all[0]
}

// knownIncoming returns the server for reading mail at which the login of SMTP may
// be compared: only where it is known to take the same password.
func knownIncoming(best autoconfig.Settings, q *doctor.Question) []doctor.Incoming {
	if best.Source != autoconfig.FromProvider || len(q.Incoming) > 0 || !slices.Contains(best.Outgoing[0].Logins, provider.Password) {
		return nil
	}
	for _, in := range best.Incoming {
		if in.Security != provider.None {
			return []doctor.Incoming{{Protocol: in.Protocol, Endpoint: doctor.Endpoint{Host: in.Host, Port: in.Port}, Security: doctor.Security(in.Security)}}
		}
	}
	return nil
}

// guessServer sets the usual name of a domain's outgoing server.
func (a *app) guessServer(domain string, q *doctor.Question, why string) {
	q.Host = "smtp." + domain
	q.Origin = append(q.Origin, "server "+q.Host+": a guess, because "+why)
}

// sourceWords says where settings come from.
func sourceWords(s autoconfig.Settings) string {
	words := map[autoconfig.Source]string{
		autoconfig.FromProvider:     "known of the provider",
		autoconfig.FromProviderMX:   "known of the provider that takes the domain's mail (its MX)",
		autoconfig.FromSRV:          "the domain's DNS (SRV)",
		autoconfig.FromAutoconfig:   "the domain's own file",
		autoconfig.FromWellKnown:    "the domain's own file",
		autoconfig.FromDatabase:     "a public database",
		autoconfig.FromAutoconfigMX: "the file of the domain's mail host",
		autoconfig.FromAutodiscover: "the domain's Autodiscover",
		autoconfig.FromPlainFile:    "the domain's own file, without TLS",
		autoconfig.FromGuess:        "a guess",
	}[s.Source]
	if words == "" {
		words = string(s.Source)
	}
	return words + " (" + s.Where + ")"
}

// targetOfProgram sets what a program's configuration has.
func (a *app) targetOfProgram(c *cobra.Command, f *doctorFlags, q *doctor.Question) error {
	p, err := doctor.ReadProgram(f.configOf)
	if err != nil {
		if errors.Is(err, doctor.ErrNoServer) {
			return usageError("%s\nKnown are: %s", err, strings.Join(doctor.Programs, ", "))
		}
		return usageError("%s", err)
	}
	origin, err := p.Apply(q)
	if err != nil {
		return usageError("%s", err)
	}
	q.Origin = append(q.Origin, origin...)
	if q.User != "" && q.Password == "" && f.passwordFile == "" && f.tokenFile == "" && !terminal(a.stdin) {
		q.User = "" // the login is not tested; the notes say why
	}
	return nil
}

// askQuestions asks for what is not on the command line: the address, the program,
// the error.
func (a *app) askQuestions(c *cobra.Command, f *doctorFlags, q *doctor.Question) error {
	in := bufio.NewReader(a.stdin)
	ask := func(question string) string {
		fmt.Fprint(a.stderr, question)
		line, err := in.ReadString('\n')
		if err != nil && line == "" {
			fmt.Fprintln(a.stderr)
		}
		return strings.TrimSpace(line)
	}
	target := ask("Your mail address, or your outgoing server: ")
	if target == "" {
		return wrongUse(c, "without an address or a server there is nothing to look at")
	}
	client := ask("Your program (" + strings.Join(doctor.Clients(), ", ") + "; empty: another): ")
	if slices.Contains(doctor.Clients(), strings.ToLower(client)) {
		f.client = strings.ToLower(client)
	}
	if text := ask("The error it shows, in one line (empty: none): "); text != "" {
		found := explain.Text(text, explain.Facts{})
		if len(found) > 0 && found[0].Cause != "" {
			f.said = &found[0]
			p := a.page(a.stderr)
			p.line()
			p.paragraph(0, "The error alone says: "+found[0].Title+" ("+string(found[0].Cause)+"). Now to see whether that is all:")
			p.line()
		}
	}
	err := a.targetOf(c, target, f, q)
	if q.User == "" {
		f.login = q.Address
	}
	return err
}

// clientSteps writes how settings are entered in a program.
func (p *page) clientSteps(client string, r *doctor.Report) {
	name, steps := doctor.Steps(client, &r.Works, r.Works.From)
	p.line()
	if len(steps) == 0 {
		p.paragraph(0, "No settings were found to work, so there is nothing to enter yet.")
		return
	}
	p.line(p.strong("In " + name + ":"))
	for _, s := range steps {
		for l := range strings.SplitSeq(s, "\n") { // not wrapped: they are for copying
			p.line("  ", printable(l))
		}
	}
}
