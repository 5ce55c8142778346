package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the manual pages into a directory",
		Long: `Write one manual page for each command into DIR, which is made if need be.

"man -l DIR/wellsent.1" shows the first.`,
		Args: args(oneNamed("the directory to write to")),
		RunE: func(c *cobra.Command, words []string) error {
			dir := words[0]
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return fmt.Errorf("write manual pages: %w", err)
			}
			b := thisBuild()
			header := &doc.GenManHeader{Section: "1", Source: "wellsent " + b.Version, Manual: "Wellsent"}
			// The date is the commit's, so that the same source makes the same pages.
			if t, err := time.Parse(time.RFC3339, b.Time); err == nil {
				header.Date = &t
			}
			root := c.Root()
			root.DisableAutoGenTag = true
			if err := doc.GenManTree(root, header, dir); err != nil {
				return fmt.Errorf("write manual pages: %w", err)
			}
			fmt.Fprintf(a.stderr, "manual pages written to %s\n", printable(dir))
			return nil
		},
	}
}

// The shells that completion is written for.
var shells = []string{"bash", "zsh", "fish", "powershell"}

func (a *app) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "completion " + strings.Join(shells, "|"),
		Short:     "Print the completion script of a shell",
		ValidArgs: shells,
		Example: `  source <(wellsent completion bash)
  wellsent completion zsh > "${fpath[1]}/_wellsent"
  wellsent completion fish > ~/.config/fish/completions/wellsent.fish`,
		Args: args(oneNamed("the name of a shell")),
		RunE: func(c *cobra.Command, words []string) error {
			switch root := c.Root(); words[0] {
			case "bash":
				return root.GenBashCompletionV2(a.stdout, true)
			case "zsh":
				return root.GenZshCompletion(a.stdout)
			case "fish":
				return root.GenFishCompletion(a.stdout, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(a.stdout)
			}
			return wrongUse(c, "%s", errors.New("no completion for "+printable(words[0])+": there is "+strings.Join(shells, ", ")))
		},
	}
}
