package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/wellsent/wellsent/internal/demo"
)

func (a *app) demoCommand() *cobra.Command {
	var once bool
	c := &cobra.Command{
		Use:   "demo [--once]",
		Short: "See all of it work on this machine; nothing leaves it",
		Long: `Run a whole post office on this machine, in a temporary directory, and show what
it does: mail delivered, bounced and deferred, and failures explained. Nothing
leaves the machine and nothing is left behind.

With --once it ends by itself and exits with 0 only when all of it worked.`,
		Args: args(noArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := interruptible(c.Context())
			defer stop()
			err := demo.Run(ctx, a.stdout, demo.Options{Once: once, Color: a.styled(a.stdout)})
			if !once && errors.Is(err, context.Canceled) {
				return nil // the way to end it
			}
			return err
		},
	}
	c.Flags().BoolVar(&once, "once", false, "end by itself within 20 seconds")
	return c
}
