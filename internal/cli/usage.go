package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageTemplate is cobra's, with flags wrapped to 80 columns and without a second
// mention of what the commands' own lines say.
const usageTemplate = `Usage:{{if .Runnable}}{{if not .HasAvailableSubCommands}}
  {{.UseLine}}{{end}}{{end}}{{if .HasAvailableSubCommands}}
  {{.CommandPath}} COMMAND{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}{{$cmds := .Commands}}{{if eq (len .Groups) 0}}

Commands:{{range $cmds}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{else}}{{range $group := .Groups}}

{{.Title}}{{range $cmds}}{{if (and (eq .GroupID $group.ID) (or .IsAvailableCommand (eq .Name "help")))}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsagesWrapped 80 | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

Global flags:
{{.InheritedFlags.FlagUsagesWrapped 80 | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableSubCommands}}

"{{.CommandPath}} COMMAND --help" tells more about a command.{{end}}
`

// group makes c a command that only holds others: alone it prints its help, and
// with a word that names none of them it suggests one.
func group(c *cobra.Command) *cobra.Command {
	c.SuggestionsMinimumDistance = 2 // as cobra has it where it suggests by itself
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return usageError("unknown command %q%s\nRun \"%s --help\" for the list.",
			printable(args[0]), didYouMean(c.SuggestionsFor(args[0])), c.CommandPath())
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		if !c.HasParent() {
			return c.Help()
		}
		c.SetOut(c.ErrOrStderr())
		_ = c.Help()
		return &exitError{code: exitUsage}
	}
	return c
}

// helpOf shows help, but not that of a group for a command that the group does not
// have: cobra would show it, as if the word had not been there.
func (a *app) helpOf(show func(*cobra.Command, []string)) func(*cobra.Command, []string) {
	return func(c *cobra.Command, words []string) {
		if left := c.Flags().Args(); c.HasAvailableSubCommands() && len(left) > 0 {
			a.helpless = c.Args(c, left)
			return
		}
		show(c, words)
	}
}

// args wraps a check of positional arguments: what it refuses is wrong usage, and
// the message ends with how the command is used.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		err := check(c, args)
		if err == nil {
			return nil
		}
		return wrongUse(c, "%s", err)
	}
}

// wrongUse returns an error of wrong usage of c with its usage line.
func wrongUse(c *cobra.Command, format string, args ...any) error {
	return usageError("%s\nUsage: %s", fmt.Sprintf(format, args...), c.UseLine())
}

// noArgs refuses all arguments.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no argument, and %q is one", c.CommandPath(), printable(args[0]))
	}
	return nil
}

// named requires one argument or more and says what it is if there is none.
func named(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return fmt.Errorf("%s needs %s", c.CommandPath(), what)
		}
		return nil
	}
}

// oneNamed requires exactly one argument.
func oneNamed(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := named(what)(c, args); err != nil {
			return err
		}
		if len(args) > 1 {
			return fmt.Errorf("%s takes one argument, and %q is one more", c.CommandPath(), printable(args[1]))
		}
		return nil
	}
}

// flagError words the errors of flags and suggests the flag that was meant.
func flagError(c *cobra.Command, err error) error {
	hint := fmt.Sprintf("\nRun \"%s --help\" for its flags.", c.CommandPath())
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return usageError("%s%s", printable(err.Error()), hint)
	}
	name := unknown.GetSpecifiedName()
	if unknown.GetSpecifiedShortnames() != "" {
		return usageError("unknown flag -%s%s", printable(name), hint)
	}
	var near []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && (distance(name, f.Name) <= 2 || len(name) > 2 && strings.HasPrefix(f.Name, name)) {
			near = append(near, "--"+f.Name)
		}
	})
	return usageError("unknown flag --%s%s%s", printable(name), didYouMean(near), hint)
}

// didYouMean returns "; did you mean "queue" or "user"?", or "" with no names.
func didYouMean(names []string) string {
	if len(names) == 0 {
		return ""
	}
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = `"` + n + `"`
	}
	return "; did you mean " + strings.Join(quoted, " or ") + "?"
}

// distance is the number of letters to add, remove or change to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := diagonal
			if a[i-1] != b[j-1] {
				change++
			}
			diagonal = row[j]
			row[j] = min(change, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}

// helpCommand is "help [COMMAND]". Unlike cobra's it fails for what does not exist.
func (a *app) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Tell about a command",
		GroupID: groupProgram,
		RunE: func(c *cobra.Command, words []string) error {
			topic, rest, err := c.Root().Find(words)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return usageError("unknown command %q%s\nRun \"%s --help\" for the list.",
					printable(rest[0]), didYouMean(topic.SuggestionsFor(rest[0])), topic.CommandPath())
			}
			topic.InitDefaultHelpFlag()
			return topic.Help()
		},
	}
}
