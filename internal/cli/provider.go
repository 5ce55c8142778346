package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wellsent/wellsent/internal/provider"
)

func (a *app) providerCommand() *cobra.Command {
	c := group(&cobra.Command{
		Use:   "provider",
		Short: "What is known of mail services: servers, sign-in, limits",
		Long: `Show what Wellsent knows of mail services: their servers and ports, how to sign
in, what they limit, which names they have withdrawn.

The facts are in the program. Nothing is asked on the network.`,
	})
	c.AddCommand(a.providerShowCommand(), a.providerListCommand())
	return c
}

func (a *app) providerShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME",
		Short: "Show a mail service by a mail domain, an address, a host or its id",
		Long: `Show what is known of a mail service.

NAME is a mail domain, an address, the name of a server (a withdrawn one too),
or the id that "wellsent provider list" shows. It exits with 1 when nothing is
known of NAME, and says which name may have been meant.`,
		Example: `  wellsent provider show gmail.com
  wellsent provider show smtp-emea.outlook.com`,
		Args: args(oneNamed("a mail domain, an address or the name of a server")),
		RunE: func(_ *cobra.Command, words []string) error {
			k := lookUpProvider(words[0])
			if err := a.printKnown(k, time.Now()); err != nil {
				return err
			}
			if k.Is != "" {
				return nil
			}
			if a.json {
				return didNot()
			}
			return &exitError{code: exitNot, text: fmt.Sprintf("nothing is known of %q%s", printable(k.Name), didYouMean(k.Suggestions))}
		},
	}
}

func (a *app) providerListCommand() *cobra.Command {
	var kind string
	c := &cobra.Command{
		Use:   "list [--kind KIND]",
		Short: "List the mail services that are known",
		Args:  args(noArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if kind != "" && !slices.Contains(provider.Kinds(), provider.Kind(kind)) {
				return wrongUse(c, "there is no kind %q; the kinds are %s", printable(kind), kindWords())
			}
			return a.listProviders(provider.Kind(kind))
		},
	}
	c.Flags().StringVar(&kind, "kind", "", "only those of a `KIND`: "+kindWords())
	return c
}

func kindWords() string {
	var words []string
	for _, k := range provider.Kinds() {
		words = append(words, string(k))
	}
	return strings.Join(words, ", ")
}

// listProviders prints one line a provider: its id and its preferred server.
func (a *app) listProviders(kind provider.Kind) error {
	l := jsonList{w: a.stdout}
	p := a.page(a.stdout)
	for _, one := range provider.All() {
		if kind != "" && one.Kind != kind {
			continue
		}
		if !a.json {
			p.line(pad(string(one.ID), 23), pad(string(one.Kind), 10), sendWords(one))
			continue
		}
		if err := l.add(one); err != nil {
			return err
		}
	}
	if a.json {
		return l.end()
	}
	return p.err
}

// sendWords is the preferred server in few words.
func sendWords(p *provider.Provider) string {
	switch {
	case !p.Works():
		return "serves no mail programs"
	case len(p.Submission) == 0 && len(p.Patterns) == 0:
		return "depends on the customer"
	}
	s := slices.Concat(p.Submission, p.Patterns)[0]
	return fmt.Sprintf("%s %d %s", s.Host, s.Port, s.Security)
}

// known is what is known of a name, and the result of provider show --json.
type known struct {
	Version     int                  `json:"version"`
	Name        string               `json:"name"`
	Is          string               `json:"is"`   // domain, host, retired, closed or id; "": unknown
	Role        provider.Role        `json:"role"` // of a host
	Why         string               `json:"why"`  // what a host does that is no outgoing server
	Suggestions []string             `json:"suggestions"`
	Retired     *provider.Retired    `json:"retired,omitempty"`
	Closed      *provider.Closed     `json:"closed,omitempty"`
	Providers   []*provider.Provider `json:"providers"` // the most likely first
}

// knownVersion is the version of the JSON form.
const knownVersion = 1

// lookUpProvider finds what is known of a mail domain, an address, a host or an id.
func lookUpProvider(name string) known {
	k := known{Version: knownVersion, Name: name, Suggestions: []string{}, Providers: []*provider.Provider{}}
	domain := name[strings.LastIndexByte(name, '@')+1:]
	if r, ok := provider.ByRetired(domain); ok {
		k.Is, k.Retired = "retired", &r
		if p, ok := provider.ByID(r.Provider); ok {
			k.Providers = append(k.Providers, p)
		}
		return k
	}
	if c, ok := provider.ByClosed(domain); ok {
		k.Is, k.Closed = "closed", &c
		return k
	}
	if p, ok := provider.ByDomain(domain); ok {
		k.Is, k.Providers = "domain", append(k.Providers, p)
		return k
	}
	if uses := provider.ByHost(domain); len(uses) > 0 {
		k.Is, k.Role, k.Why = "host", uses[0].Role, uses[0].Why
		for _, u := range uses {
			if !slices.Contains(k.Providers, u.Provider) {
				k.Providers = append(k.Providers, u.Provider)
			}
		}
		return k
	}
	if p, ok := provider.ByID(provider.ID(name)); ok {
		k.Is, k.Providers = "id", append(k.Providers, p)
		return k
	}
	// The end of a name says little: www.google.com is no exchanger.
	if role, _ := provider.RoleOf(domain); role == provider.RoleMX {
		if p, ok := provider.ByMX(domain); ok {
			k.Is, k.Role, k.Providers = "host", provider.RoleMX, append(k.Providers, p)
			return k
		}
	}
	if meant, ok := provider.Misspelt(domain); ok {
		k.Suggestions = append(k.Suggestions, meant)
		return k
	}
	// A host that does not exist, of a service that does: mail.gmail.com.
	_, parent, _ := strings.Cut(domain, ".")
	if p, ok := provider.ByDomain(parent); ok && len(p.Submission) > 0 {
		k.Suggestions = append(k.Suggestions, p.Submission[0].Host)
	}
	return k
}
