package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/lab"
)

// labFlags are the flags of the lab.
type labFlags struct {
	list     bool
	listen   string
	persona  string
	hostname string
	verbose  bool
}

func (a *app) labCommand() *cobra.Command {
	var f labFlags
	c := &cobra.Command{
		Use:   "lab CAUSE… [--listen ADDR] [--persona NAME] | --list",
		Short: "Play a server that fails in a given way, for rehearsing",
		Long: `Play a mail server that fails on purpose, and show what clients do there. CAUSE
is the id of a cause, or of one of its variants; each gets a port of its own.
Nothing that is sent there goes anywhere. Ctrl-C ends it.

--list shows all of them, and "ok", with which nothing is wrong. A persona is
whose manners the server has: its greeting, its extensions and its words.`,
		Example: `  wellsent lab --list
  wellsent lab tls.certificate-expired
  wellsent lab auth.smtp-auth-disabled greylist.deferred --listen 127.0.0.1:2525
  wellsent lab auth.credentials-rejected --persona gmail`,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return labNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, names []string) error {
			switch {
			case f.list && len(names) > 0:
				return wrongUse(c, "--list takes no cause")
			case f.list:
				return a.labList()
			case len(names) == 0:
				return wrongUse(c, "%s needs a cause; \"wellsent lab --list\" shows them", c.CommandPath())
			}
			return a.lab(c.Context(), f, names)
		},
	}
	c.Flags().BoolVar(&f.list, "list", false, "show all causes that can be played")
	c.Flags().StringVar(&f.listen, "listen", "127.0.0.1:0", "the `ADDR` to listen at; further causes take the ports after it, port 0 any free one")
	c.Flags().StringVar(&f.persona, "persona", "", "whose manners it has: `NAME` is "+strings.Join(labPersonas(), ", "))
	c.Flags().StringVar(&f.hostname, "hostname", "", "the `NAME` that its certificate bears (default localhost, or the address)")
	c.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "show every line of every conversation")
	return c
}

// lab plays the scenarios until it is interrupted.
func (a *app) lab(ctx context.Context, f labFlags, names []string) error {
	scenarios, err := labScenarios(f, names)
	if err != nil {
		return err
	}
	ctx, stop := interruptible(ctx)
	defer stop()
	dir, err := os.MkdirTemp("", "wellsent-lab-")
	if err != nil {
		return fmt.Errorf("make a directory for the certificates: %w", err)
	}
	defer os.RemoveAll(dir)
	out := &labOutput{app: a, page: a.page(a.stdout), verbose: f.verbose}
	var servers []*lab.Server
	defer func() {
		for _, s := range servers {
			s.Close()
		}
	}()
	for i, sc := range scenarios {
		listen, err := portAfter(f.listen, i)
		if err != nil {
			return usageError("--listen: %s", err)
		}
		id := sc.ID
		s, err := lab.Start(ctx, lab.Options{Cause: id, Persona: f.persona, Listen: listen, Hostname: f.hostname,
			Log: func(l lab.Line) { out.line(id, l) }, Done: func(c lab.Conversation) { out.conversation(id, c) }})
		if err != nil {
			return err
		}
		servers = append(servers, s)
		files, err := writeLabFiles(dir, i, s.Settings())
		if err != nil {
			return err
		}
		out.started(s, files)
	}
	out.ready()
	<-ctx.Done()
	return out.failure()
}

// labScenarios returns the scenarios of names. Mistakes are errors of usage.
func labScenarios(f labFlags, names []string) ([]lab.Scenario, error) {
	var all []lab.Scenario
	for _, n := range names {
		s, ok := lab.Find(n)
		if !ok {
			if _, known := cause.Lookup(cause.ID(n)); known {
				return nil, usageError("no server can show %s: it is a failure of the network, of names or of the client\nRun \"wellsent lab --list\" for those it can.", n)
			}
			return nil, usageError("unknown cause %q%s\nRun \"wellsent lab --list\" for the list.", printable(n), didYouMean(nearCauses(n)))
		}
		all = append(all, s)
	}
	if f.persona != "" {
		known := labPersonas()
		for _, p := range known {
			if strings.EqualFold(p, f.persona) {
				return all, nil
			}
		}
		return nil, usageError("unknown persona %q; it is one of %s", printable(f.persona), strings.Join(known, ", "))
	}
	return all, nil
}

func labNames() []string {
	var names []string
	for _, s := range lab.Scenarios() {
		names = append(names, s.ID)
	}
	return names
}

func labPersonas() []string {
	var names []string
	for _, p := range lab.Personas() {
		names = append(names, p.Name)
	}
	return names
}

// nearCauses returns what may have been meant by a name: ids that differ by few
// letters, else those that have it as a part; at most five.
func nearCauses(name string) []string {
	const most, slip = 5, 3
	name = strings.ToLower(name)
	type near struct {
		id string
		d  int
	}
	var found []near
	for _, id := range labNames() {
		_, short, _ := strings.Cut(id, ".")
		switch d := min(distance(name, id), distance(name, short)); {
		case d <= slip:
			found = append(found, near{id, d})
		case len(name) > 3 && strings.Contains(id, name):
			found = append(found, near{id, slip + 1})
		}
	}
	sort.SliceStable(found, func(i, j int) bool { return found[i].d < found[j].d })
	var names []string
	for _, n := range found[:min(len(found), most)] {
		names = append(names, n.id)
	}
	return names
}

// portAfter returns the address whose port is n after that of address; any free
// port stays any free port.
func portAfter(address string, n int) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("%q is not host:port", address)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "", fmt.Errorf("%q is no port", port)
	}
	if number == 0 {
		return address, nil
	}
	if number+uint64(n) > 65535 {
		return "", errors.New("there are not that many ports after it")
	}
	return net.JoinHostPort(host, strconv.FormatUint(number+uint64(n), 10)), nil
}

// labFiles are the files that a client of a scenario is given.
type labFiles struct{ ca, password string }

func writeLabFiles(dir string, n int, s lab.Settings) (labFiles, error) {
	var f labFiles
	if s.CA != "" && s.Security != "none" {
		f.ca = filepath.Join(dir, fmt.Sprintf("ca-%d.pem", n+1))
		if err := os.WriteFile(f.ca, []byte(s.CA), 0o644); err != nil {
			return f, fmt.Errorf("write the CA: %w", err)
		}
	}
	if s.User != "" {
		f.password = filepath.Join(dir, fmt.Sprintf("password-%d", n+1))
		if err := os.WriteFile(f.password, []byte(s.Password+"\n"), 0o600); err != nil {
			return f, fmt.Errorf("write the password: %w", err)
		}
	}
	return f, nil
}

// labOutput shows what the lab does. Many conversations write to it.
type labOutput struct {
	app     *app
	verbose bool

	mu   sync.Mutex // guards page and err
	page *page
	err  error
}

func (o *labOutput) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return errors.Join(o.err, o.page.err)
}
