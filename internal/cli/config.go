package cli

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wellsent/wellsent/internal/config"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
)

// loadConfig returns the configuration that the command line and the environment
// name, or that of a server without a file. Mistakes are errors of usage, one a line.
func (a *app) loadConfig() (*config.Config, error) {
	path, err := config.Find(a.configFile)
	if err != nil {
		return nil, usageError("%s", err)
	}
	if path == "" {
		return config.Default(), nil
	}
	c, err := config.Load(path)
	var mistakes config.Errors
	switch {
	case errors.As(err, &mistakes):
		return nil, usageError("the configuration has %s:\n%s", count(len(mistakes), "mistake", "mistakes"), mistakes)
	case err != nil:
		return nil, usageError("read the configuration: %s", err)
	}
	return c, nil
}

func (a *app) configCommand() *cobra.Command {
	c := group(&cobra.Command{Use: "config", Short: "Check the configuration, or show what it comes to"})
	c.AddCommand(a.configCheckCommand(), a.configShowCommand())
	return c
}

func (a *app) configCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Name every mistake of the configuration with its line",
		Long: `Name every mistake of the configuration with its line, and say in words what it
comes to. It exits with 2 when there is a mistake.`,
		Args: args(noArgs),
		RunE: func(*cobra.Command, []string) error {
			path, err := config.Find(a.configFile)
			if err != nil {
				return usageError("%s", err)
			}
			if path == "" {
				return a.printCheck(config.Default())
			}
			c, err := config.Load(path)
			var mistakes config.Errors
			switch {
			case errors.As(err, &mistakes):
				return a.printMistakes(path, mistakes)
			case err != nil:
				return usageError("read the configuration: %s", err)
			}
			return a.printCheck(c)
		},
	}
}

// checkResult is the result of config check --json.
type checkResult struct {
	File     string    `json:"file"` // "" without a file
	OK       bool      `json:"ok"`
	Mistakes []mistake `json:"mistakes"`
	Warnings []mistake `json:"warnings"`
}

type mistake struct {
	File       string `json:"file"`
	Line       int    `json:"line"`   // 0: belongs to no line
	Column     int    `json:"column"` // in bytes, from 1
	Key        string `json:"key"`
	Message    string `json:"message"`
	Suggestion string `json:"suggestion"`
}

func mistakesOf(all []config.Mistake) []mistake {
	out := make([]mistake, len(all))
	for i, m := range all {
		out[i] = mistake(m)
	}
	return out
}

func (a *app) printMistakes(path string, all config.Errors) error {
	if a.json {
		err := a.printJSON(checkResult{File: path, Mistakes: mistakesOf(all), Warnings: []mistake{}})
		return errors.Join(err, &exitError{code: exitUsage})
	}
	p := a.page(a.stdout)
	for _, m := range all {
		p.line(printable(m.String()))
	}
	if p.err != nil {
		return p.err
	}
	return usageError("%s", count(len(all), "mistake", "mistakes"))
}

// printCheck prints in words what a configuration without mistakes comes to.
func (a *app) printCheck(c *config.Config) error {
	if a.json {
		return a.printJSON(checkResult{File: c.Path, OK: true, Mistakes: []mistake{}, Warnings: mistakesOf(c.Warnings)})
	}
	p := a.page(a.stdout)
	if c.Path == "" {
		p.line("There is no configuration file; this is what holds without one.")
	} else {
		p.line(printable(c.Path), ": ", p.good("ok"))
	}
	p.line()
	p.line(p.strong("takes mail at"))
	if len(c.Listeners) == 0 {
		p.paragraph(2, "no address: there is no listener")
	}
	for i := range c.Listeners {
		p.named(c.Listeners[i].Address, listenerWords(&c.Listeners[i]))
		if l := loosened(&c.Listeners[i]); l != "" {
			p.named("", "loosened: "+l)
		}
	}
	if len(c.Devices) > 0 {
		p.line()
		p.line(p.strong("knows devices"))
	}
	for i := range c.Devices {
		p.named(c.Devices[i].Name, deviceWords(&c.Devices[i]))
	}
	p.line()
	p.line(p.strong("sends mail"))
	if c.Sandbox {
		p.paragraph(2, "nowhere: sandbox is on, and everything is kept in "+c.Data+"/sandbox")
	}
	for i := range c.Routes {
		p.named(c.Routes[i].Name, routeWords(&c.Routes[i]))
	}
	p.line()
	p.line(p.strong("keeps data in"))
	p.paragraph(2, c.Data)
	for _, w := range c.Warnings {
		p.line()
		p.paragraph(0, "note: "+w.String())
	}
	return p.err
}

// named writes a name and, beside it or below it, what is to be said of it.
func (p *page) named(name, text string) {
	const nameWidth = 20
	indent := strings.Repeat(" ", 2+nameWidth)
	lead := "  " + pad(printable(name), nameWidth)
	if columnsOf(name) >= nameWidth {
		p.line("  ", printable(name))
		lead = indent
	}
	for _, l := range wrap(printable(text), p.width-2-nameWidth) {
		p.line(lead, l)
		lead = indent
	}
}

// listenerWords says what a listener asks of those who connect.
func listenerWords(l *config.Listener) string {
	switch l.Kind {
	case smtp.KindSubmission:
		return "submission: STARTTLS, then login"
	case smtp.KindSubmissions:
		return "submissions: TLS at once, then login"
	case smtp.KindRelay, smtp.KindDevice:
		from := make([]string, len(l.Allow))
		for i, prefix := range l.Allow {
			from[i] = prefix.String()
		}
		if len(from) == 0 {
			from = []string{"the devices that may use it"}
		}
		words := string(l.Kind) + ": without login from " + strings.Join(from, ", ")
		if len(l.Senders) > 0 {
			words += ", as " + strings.Join(l.Senders, ", ")
		}
		return words
	case smtp.KindUnix:
		return "unix: local users"
	}
	return string(l.Kind)
}

// loosened names the settings of a listener that make it less safe, "" for none.
func loosened(l *config.Listener) string {
	var words []string
	if l.LegacyTLS {
		words = append(words, "legacy_tls (TLS 1.0 and 1.1 too)")
	}
	if l.PlaintextAuth {
		words = append(words, "plaintext_auth (passwords without TLS)")
	}
	if l.BareNewlines {
		words = append(words, "bare_newlines (bare line ends are repaired)")
	}
	if l.AllowGateway {
		words = append(words, "allow_gateway (whoever comes through a gateway that is allowed needs no login)")
	}
	return strings.Join(words, ", ")
}

// deviceWords says who a device is and what is overlooked for it.
func deviceWords(d *config.Device) string {
	from := make([]string, 0, len(d.Addresses)+1)
	for _, a := range d.Addresses {
		from = append(from, strings.TrimSuffix(strings.TrimSuffix(a.String(), "/32"), "/128"))
	}
	if d.Account != "" {
		from = append(from, "account "+d.Account)
	}
	words := strings.Join(from, ", ")
	if loose := d.Words(); len(loose) > 0 {
		words += "; loosened: " + strings.Join(loose, ", ")
	}
	if len(d.Senders) > 0 {
		words += "; as " + strings.Join(d.Senders, ", ")
	}
	if d.Route != "" {
		words += "; by " + d.Route
	}
	if d.Expect > 0 {
		words += "; expected to send every " + durationText(d.Expect)
	}
	return words
}

// routeWords says where a route leads and how secure it is.
func routeWords(r *config.Route) string {
	via := make([]string, len(r.Via))
	for i, v := range r.Via {
		via[i] = v.String()
	}
	words := strings.Join(r.Recipients, ", ") + " by " + strings.Join(via, ", else ")
	if len(r.Via) > 0 && r.Via[0].Scheme == route.SchemeMX {
		words = strings.Join(r.Recipients, ", ") + " by the mail exchangers of their domains"
	}
	switch r.TLS {
	case route.TLSVerified:
		words += "; TLS with a verified certificate"
	case route.TLSOpportunistic:
		words += "; TLS where it is offered"
	case route.TLSNone:
		words += "; without TLS"
	default:
		words += "; TLS: " + string(r.TLS)
	}
	if r.User != "" {
		words += "; login as " + r.User
	}
	if !r.From.IsNull() {
		words += "; as sender " + string(r.From)
		if r.Rewrite != "" && r.Rewrite != route.RewriteBoth {
			words += " (" + string(r.Rewrite) + ")"
		}
	}
	for _, m := range []struct {
		what string
		list []string
	}{{"from senders ", r.Match.Senders}, {"of accounts ", r.Match.Accounts}, {"that came in at ", r.Match.Listeners}, {"of devices ", r.Match.Devices}} {
		if len(m.list) > 0 {
			words += "; only mail " + m.what + strings.Join(m.list, ", ")
		}
	}
	return words
}

func (a *app) configShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Show every effective value and where it comes from",
		Args:  args(noArgs),
		RunE: func(*cobra.Command, []string) error {
			c, err := a.loadConfig()
			if err != nil {
				return err
			}
			values := list(c.Effective())
			if a.json {
				return a.printJSON(values)
			}
			p := a.page(a.stdout)
			if c.Path == "" {
				p.line(p.faint("# no configuration file: these are the defaults"))
			} else {
				p.line(p.faint("# " + printable(c.Path)))
			}
			p.values(values)
			return p.err
		},
	}
}

// values writes a table of key, value and origin. What does not fit beside the
// key goes on lines of its own, whole: values are there to be copied.
func (p *page) values(values []config.Value) {
	keys := 0
	for _, v := range values {
		keys = max(keys, columnsOf(v.Key))
	}
	for _, v := range values {
		key, value, origin := pad(v.Key, keys), printable(v.Value), printable(v.Origin)
		room := p.width - keys - 2 - columnsOf(value) - columnsOf(origin)
		if room >= 2 {
			p.line(key, "  ", value, strings.Repeat(" ", room), p.faint(origin))
			continue
		}
		p.line(key, "  ", value)
		p.line(strings.Repeat(" ", max(0, p.width-columnsOf(origin))), p.faint(origin))
	}
}
