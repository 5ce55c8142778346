package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wellsent/wellsent/internal/auth"
	"github.com/wellsent/wellsent/internal/config"
	"github.com/wellsent/wellsent/internal/policy"
)

// accountsFile is the name of the file of accounts in the data directory.
const accountsFile = "accounts.toml"

func (a *app) userCommand() *cobra.Command {
	c := group(&cobra.Command{Use: "user", Short: "Add, list and remove the accounts that may log in"})
	c.AddCommand(a.userAddCommand(), a.userListCommand(), a.userRemoveCommand(), a.userPasswdCommand())
	return c
}

// accounts opens the file of accounts and returns it with the configuration.
func (a *app) accounts() (*auth.File, *config.Config, error) {
	cfg, err := a.loadConfig()
	if err != nil {
		return nil, nil, err
	}
	f, err := auth.OpenFile(filepath.Join(cfg.Data, accountsFile))
	if err == nil {
		f.Keep(cfg.Kept())
	}
	return f, cfg, err
}

// configured returns an error when the account name is one of the configuration
// file, which only its owner's editor changes.
func configured(cfg *config.Config, name string) error {
	for _, u := range cfg.Users {
		if auth.Canonical(u.Name) == auth.Canonical(name) {
			return fmt.Errorf("account %s is set in %s: change it there", printable(u.Name), cfg.Path)
		}
	}
	return nil
}

// account is one account as it is listed.
type account struct {
	Name      string   `json:"name"`
	Addresses []string `json:"addresses"` // what it may send as
	Origin    string   `json:"origin"`    // "data" or "config"
}

func (a *app) userAddCommand() *cobra.Command {
	var file string
	var addresses []string
	c := &cobra.Command{
		Use:   "add NAME [--password-file FILE|-] [--address ADDR]…",
		Short: "Add an account; a running server sees it at once",
		Long: `Add an account that may log in and send as its addresses. A running server sees
it at once.

The password is asked for on the terminal, or read from --password-file, of
which one line end at the end is not part of it.

Kept of it are an argon2id hash, and what the mechanisms of the configuration's
listeners need besides: keys for SCRAM, and digests for CRAM-MD5 and NTLM where
a listener names these. The digests are as good as the password to whoever reads
the file of accounts.`,
		Example: `  wellsent user add ann@example.org
  wellsent user add scanner --address scan@example.org --password-file pw
  wellsent user add shop --address '*@shop.example' --password-file -`,
		Args: args(oneNamed("the name of the account")),
		RunE: func(c *cobra.Command, words []string) error {
			name := words[0]
			if err := auth.CheckName(name); err != nil {
				return usageError("%s", err)
			}
			for _, address := range addresses {
				if err := checkAddress(address); err != nil {
					return err
				}
			}
			f, cfg, err := a.accounts()
			if err != nil {
				return err
			}
			if err := configured(cfg, name); err != nil {
				return err
			}
			// Before the password is asked for, which would be in vain.
			if taken, err := exists(f, name); err != nil {
				return err
			} else if taken {
				return nameTaken(name)
			}
			password, err := a.newPassword(c, name, file)
			if err != nil {
				return err
			}
			if err := os.MkdirAll(cfg.Data, 0o750); err != nil {
				return fmt.Errorf("make the data directory: %w", err)
			}
			if err := becomeOwner(cfg.Data); err != nil {
				return err
			}
			err = f.Add(name, password, addresses)
			switch {
			case errors.Is(err, auth.ErrExists):
				return nameTaken(name)
			case err != nil:
				return err
			}
			if len(addresses) == 0 {
				addresses = []string{name}
				if checkAddress(name) != nil {
					fmt.Fprintf(a.stderr, "wellsent: %s is no address, so this account may send as nobody yet: give --address\n", printable(name))
				}
			}
			if a.json {
				return a.printJSON(account{Name: name, Addresses: addresses, Origin: "data"})
			}
			p := a.page(a.stdout)
			p.paragraph(0, fmt.Sprintf("account %s added; it may send as %s", name, strings.Join(addresses, ", ")))
			return p.err
		},
	}
	c.Flags().StringVar(&file, "password-file", "", "read the password from `FILE`, or from standard input with -")
	c.Flags().StringArrayVar(&addresses, "address", nil, "an `ADDR` it may send as, or *@domain for all of one; may be given again (default NAME)")
	return c
}

func nameTaken(name string) error {
	return fmt.Errorf("account %s exists already; another password: wellsent user passwd %s", printable(name), printable(name))
}

func exists(f *auth.File, name string) (bool, error) {
	all, err := f.List()
	for _, u := range all {
		if auth.Canonical(u.Name) == auth.Canonical(name) {
			return true, err
		}
	}
	return false, err
}

// checkAddress refuses what no account can send as.
func checkAddress(s string) error {
	if err := policy.CheckPattern(s); err != nil {
		return usageError("%s", printable(err.Error()))
	}
	return nil
}

func (a *app) userListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the accounts and what they may send as",
		Args:  args(noArgs),
		RunE: func(*cobra.Command, []string) error {
			f, cfg, err := a.accounts()
			if err != nil {
				return err
			}
			all, err := allAccounts(f, cfg)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(all)
			}
			p := a.page(a.stdout)
			if len(all) == 0 {
				p.line("There is no account yet; add one: wellsent user add ann@example.org")
				return p.err
			}
			for _, u := range all {
				words := "sends as " + strings.Join(u.Addresses, ", ")
				if u.Origin == "config" {
					words += " (set in " + cfg.Path + ")"
				}
				p.line(p.strong(printable(u.Name)))
				p.paragraph(2, words)
			}
			return p.err
		},
	}
}

// allAccounts returns those of the data directory, then those of the configuration.
func allAccounts(f *auth.File, cfg *config.Config) ([]account, error) {
	kept, err := f.List()
	if err != nil {
		return nil, err
	}
	all := []account{}
	for _, u := range kept {
		all = append(all, account{Name: u.Name, Addresses: list(u.Addresses), Origin: "data"})
	}
	for _, u := range cfg.Users {
		all = append(all, account{Name: u.Name, Addresses: list(u.Addresses), Origin: "config"})
	}
	return all, nil
}

func (a *app) userRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME…",
		Short: "Remove accounts; what they have sent stays in the queue",
		Args:  args(named("the name of an account")),
		RunE: func(_ *cobra.Command, names []string) error {
			f, cfg, err := a.accounts()
			if err != nil {
				return err
			}
			if err := becomeOwner(cfg.Data); err != nil {
				return err
			}
			removed, failed := []string{}, 0
			for _, name := range names {
				err := configured(cfg, name)
				if err == nil {
					err = f.Remove(name)
				}
				switch {
				case errors.Is(err, auth.ErrUnknown):
					err = noAccount(name)
				case err == nil:
					removed = append(removed, name)
					continue
				}
				failed++
				fmt.Fprintf(a.stderr, "wellsent: %s\n", err)
			}
			if err := a.printRemoved(removed); err != nil {
				return err
			}
			if failed > 0 {
				return didNot()
			}
			return nil
		},
	}
}

func (a *app) printRemoved(names []string) error {
	if a.json {
		return a.printJSON(struct {
			Removed []string `json:"removed"`
		}{names})
	}
	p := a.page(a.stdout)
	for _, n := range names {
		p.line("account ", printable(n), " removed")
	}
	return p.err
}

func noAccount(name string) error {
	return fmt.Errorf("there is no account %s; the accounts: wellsent user list", printable(name))
}

func (a *app) userPasswdCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "passwd NAME [--password-file FILE|-]",
		Short: "Give an account another password",
		Long: `Give an account another password, at once. What is kept of it follows the
mechanisms of the listeners as they are configured now: after a listener has
been given CRAM-MD5 or NTLM, set the passwords of its accounts again, the same
ones if need be.`,
		Args: args(oneNamed("the name of the account")),
		RunE: func(c *cobra.Command, words []string) error {
			name := words[0]
			f, cfg, err := a.accounts()
			if err != nil {
				return err
			}
			if err := configured(cfg, name); err != nil {
				return err
			}
			if known, err := exists(f, name); err != nil {
				return err
			} else if !known {
				return noAccount(name)
			}
			password, err := a.newPassword(c, name, file)
			if err != nil {
				return err
			}
			if err := becomeOwner(cfg.Data); err != nil {
				return err
			}
			err = f.SetPassword(name, password)
			switch {
			case errors.Is(err, auth.ErrUnknown):
				return noAccount(name)
			case err != nil:
				return err
			case a.json:
				return a.printJSON(struct {
					Name string `json:"name"`
				}{name})
			}
			p := a.page(a.stdout)
			p.line("account ", printable(name), " has a new password")
			return p.err
		},
	}
	c.Flags().StringVar(&file, "password-file", "", "read the password from `FILE`, or from standard input with -")
	return c
}
