package cli

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wellsent/wellsent/internal/daemon"
	"github.com/wellsent/wellsent/internal/dispatch"
	"github.com/wellsent/wellsent/internal/worry"
)

// checkVersion is the version of the JSON of check. 1: the first.
const checkVersion = 1

func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "One look at everything that will stop mail soon, or has",
		Long: `One look at everything that will stop mail soon, or has: paused lanes, mail that
waits too long, a full disk, dead letters, certificates and secrets that end,
routes for which nobody has signed in or which are refused a token, mail that
goes by a stand-in, devices that are silent, fail or use weak encryption.

It asks the running server, or looks itself where none runs; that none runs is
not among what it names. It exits with 1 when there is anything, so a monitor
may run it.`,
		Args: args(noArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := a.worries(c.Context())
			if err != nil {
				return err
			}
			return a.printWorries(all)
		},
	}
}

// worries asks whoever knows.
func (a *app) worries(ctx context.Context) ([]worry.Worry, error) {
	q, err := a.orders(ctx)
	if errors.Is(err, errNoSpool) {
		cfg, err := a.loadConfig()
		if err != nil {
			return nil, err
		}
		if err := becomeOwner(cfg.Data); err != nil {
			return nil, err
		}
		return daemon.WorriesWithout(cfg)
	}
	if err != nil {
		return nil, err
	}
	defer q.close()
	all, err := q.worries(ctx)
	if err != nil {
		return nil, orderError("check", err)
	}
	return all, nil
}

func (a *app) printWorries(all []worry.Worry) error {
	if a.json {
		for i := range all {
			all[i].Do = list(all[i].Do)
		}
		err := a.printJSON(struct {
			Version int           `json:"version"`
			Worries []worry.Worry `json:"worries"`
		}{checkVersion, list(all)})
		if err == nil && len(all) > 0 {
			return didNot()
		}
		return err
	}
	p := a.page(a.stdout)
	if len(all) == 0 {
		p.line(p.good("✓"), " nothing stops mail, and nothing is going to soon")
		return p.err
	}
	for i := range all {
		p.worry(&all[i])
	}
	if p.err != nil {
		return p.err
	}
	return didNot()
}

// worry writes one worry: what is, and what to do about it.
func (p *page) worry(w *worry.Worry) {
	mark := p.warn("!")
	if w.Now {
		mark = p.bad("✗")
	}
	p.marked(mark, printable(w.What), string(w.Cause))
	p.list("do", w.Do)
	p.line()
}

// worryBanner writes, before the queue, what is going to stop mail and shows in no
// message yet. A server that cannot say it does not keep the queue from being shown.
func (p *page) worryBanner(ctx context.Context, q *orders, lanes []dispatch.LaneStatus) {
	if q.worries == nil {
		return
	}
	all, err := q.worries(ctx)
	if err != nil {
		return
	}
	for i := range all {
		w := &all[i]
		switch w.Kind {
		case worry.SignedOut, worry.TokenFails, worry.Expiring, worry.Certificate, worry.Unreadable:
		default:
			continue // the list itself shows it, or it is not about sending
		}
		if slices.ContainsFunc(lanes, func(l dispatch.LaneStatus) bool {
			return l.Name == w.Subject && l.State == lanePaused && l.Cause == w.Cause
		}) {
			continue // the lane says it
		}
		do := ""
		if len(w.Do) > 0 {
			do = ": " + strings.Join(w.Do, "; ")
		}
		p.paragraph(0, printable(w.What)+do)
		p.line()
	}
}
