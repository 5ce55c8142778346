package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// The exit codes.
const (
	exitOK    = 0 // it went well
	exitNot   = 1 // it did not
	exitUsage = 2 // wrong usage or configuration
)

// Main runs the command that args name, of which the first is the name the
// program was called by, and returns the exit code.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr}
	root := a.root()
	if len(args) > 0 {
		args = args[1:]
	}
	root.SetArgs(append([]string{}, args...)) // never nil: cobra would take those of the process
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(context.Background())
	if err == nil {
		err = a.helpless
	}
	if err == nil {
		return exitOK
	}
	code := exitNot
	var e *exitError
	if errors.As(err, &e) {
		code = e.code
	}
	if text := strings.TrimRight(err.Error(), "\n"); text != "" {
		fmt.Fprintf(stderr, "wellsent: %s\n", text)
	}
	return code
}

// app is what all commands of one run share.
type app struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer

	configFile string
	json       bool
	color      colorMode
	state      string

	helpless error // why there was no help to show
}

// exitError ends the command with a code of its own. An empty text says that the
// result on standard output has said it all.
type exitError struct {
	code int
	text string
}

func (e *exitError) Error() string { return e.text }

// didNot returns the error of a command whose result says what did not go well.
func didNot() error { return &exitError{code: exitNot} }

// usageError returns the error of a wrong command line or configuration.
func usageError(format string, args ...any) error {
	return &exitError{code: exitUsage, text: fmt.Sprintf(format, args...)}
}

// root returns the tree of commands.
func (a *app) root() *cobra.Command {
	root := group(&cobra.Command{
		Use:   "wellsent",
		Short: "The post office for outgoing mail",
		Long: `Wellsent sends mail, keeps it safe until it is gone, and explains what stops it.

Never used it before? Run "wellsent demo": nothing leaves the machine.`,
	})
	root.Version = thisBuild().Version // --version, which many try first
	root.SetVersionTemplate("wellsent {{.Version}}\n")
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(flagError)
	root.SetUsageTemplate(usageTemplate)

	f := root.PersistentFlags()
	f.SortFlags = false
	f.StringVarP(&a.configFile, "config", "c", "", "the configuration `FILE` (default $WELLSENT_CONFIG, the user's, /etc/wellsent/wellsent.toml)")
	f.BoolVar(&a.json, "json", false, "print the result as JSON")
	f.Var(&a.color, "color", "colour: auto, always or never")
	f.StringVar(&a.state, "state", "", "the `DIR` kept between runs (default $XDG_STATE_HOME/wellsent)")

	root.AddGroup(
		&cobra.Group{ID: groupMail, Title: "Mail:"},
		&cobra.Group{ID: groupSetup, Title: "Set up:"},
		&cobra.Group{ID: groupProgram, Title: "The program:"},
	)
	root.AddCommand(inGroup(groupMail, a.demoCommand(), a.serveCommand(), a.queueCommand(), a.deviceCommand(), a.doctorCommand(), a.explainCommand(), a.listenCommand(), a.checkCommand())...)
	root.AddCommand(inGroup(groupSetup, a.configCommand(), a.userCommand(), a.routeCommand(), a.providerCommand(), a.labCommand())...)
	root.AddCommand(inGroup(groupProgram, a.versionCommand(), a.manCommand(), a.completionCommand())...)
	root.SetHelpCommandGroupID(groupProgram)
	root.SetHelpCommand(a.helpCommand())
	hideFlagsWord(root)
	root.SetHelpFunc(a.helpOf(root.HelpFunc()))
	return root
}

// hideFlagsWord keeps "[flags]" out of all usage lines: they name their flags.
func hideFlagsWord(c *cobra.Command) {
	c.DisableFlagsInUseLine = true
	for _, sub := range c.Commands() {
		hideFlagsWord(sub)
	}
}

// The groups of commands, in the order of the help text.
const (
	groupMail    = "mail"
	groupSetup   = "setup"
	groupProgram = "program"
)

func inGroup(id string, commands ...*cobra.Command) []*cobra.Command {
	for _, c := range commands {
		c.GroupID = id
	}
	return commands
}
