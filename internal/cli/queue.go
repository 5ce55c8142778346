package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wellsent/wellsent/internal/dispatch"
	"github.com/wellsent/wellsent/internal/spool"
)

func (a *app) queueCommand() *cobra.Command {
	c := group(&cobra.Command{
		Use:   "queue",
		Short: "See what waits and why; retry, hold, resume or cancel it",
		Long: `See what waits and why, and give orders about it. The orders go to the running
server; with none running they change the queue on disk.`,
	})
	c.AddCommand(a.queueListCommand(), a.queueShowCommand())
	for _, o := range queueOrders {
		c.AddCommand(a.orderCommand(o))
	}
	c.AddCommand(a.queueFlushCommand())
	return c
}

// order is one order about selected recipients.
type order struct {
	name  string
	short string
	long  string
	done  string // what became of the recipients
	none  string // why an order may have met nobody
	give  func(*orders, context.Context, dispatch.Selection) (dispatch.Done, error)
}

var queueOrders = []order{
	{
		name: "retry", short: "Try recipients again now",
		long: "Make recipients due now. A lane that is paused stays so: see resume.",
		done: "due now", none: "nobody waits there",
		give: func(o *orders, ctx context.Context, s dispatch.Selection) (dispatch.Done, error) {
			return o.Retry(ctx, s)
		},
	},
	{
		name: "hold", short: "Keep recipients from being tried until they are resumed",
		long: "Keep recipients from being tried until they are resumed. Their time goes on:\nthey expire as if they were waiting.",
		done: "held", none: "nobody waits there",
		give: func(o *orders, ctx context.Context, s dispatch.Selection) (dispatch.Done, error) {
			return o.Hold(ctx, s)
		},
	},
	{
		name: "resume", short: "Let held recipients or a paused lane go on",
		long: "Let held recipients and dead letters go on, or a lane that is paused.",
		done: "waiting again", none: "nobody is held there and no lane is paused",
		give: func(o *orders, ctx context.Context, s dispatch.Selection) (dispatch.Done, error) {
			return o.Resume(ctx, s)
		},
	},
	{
		name: "cancel", short: "Remove recipients without telling the sender",
		long: "Remove recipients from the queue. Nobody is told: no bounce goes out.",
		done: "cancelled", none: "nobody is in the queue there",
		give: func(o *orders, ctx context.Context, s dispatch.Selection) (dispatch.Done, error) {
			return o.Cancel(ctx, s)
		},
	},
}

func (a *app) orderCommand(o order) *cobra.Command {
	var s dispatch.Selection
	c := &cobra.Command{
		Use:   o.name + " ID… | --lane NAME | --all",
		Short: o.short,
		Long:  o.long,
		RunE: func(c *cobra.Command, ids []string) error {
			s.IDs = ids
			if err := oneSelection(c, s); err != nil {
				return err
			}
			q, err := a.orders(c.Context())
			if err != nil {
				return err
			}
			defer q.close()
			done, err := o.give(q, c.Context(), s)
			if err != nil {
				return orderError(o.name, err)
			}
			return a.printDone(o, s, done)
		},
	}
	c.Flags().StringVar(&s.Lane, "lane", "", "all recipients of the lane `NAME`, as queue list shows it")
	c.Flags().BoolVar(&s.All, "all", false, "all recipients")
	return c
}

// oneSelection refuses a command line that selects in no way or in two.
func oneSelection(c *cobra.Command, s dispatch.Selection) error {
	ways := 0
	for _, given := range []bool{len(s.IDs) > 0, s.Lane != "", s.All} {
		if given {
			ways++
		}
	}
	switch {
	case c.Flags().Changed("lane") && s.Lane == "":
		return wrongUse(c, "--lane needs the name of a lane")
	case ways == 0:
		return wrongUse(c, "say which: ids, --lane NAME or --all")
	case ways > 1:
		return wrongUse(c, "ids, --lane and --all exclude each other")
	}
	for _, id := range s.IDs {
		if id == "" {
			return wrongUse(c, "an id is empty")
		}
	}
	return nil
}

// orderError says what an order failed at.
func orderError(what string, err error) error {
	if errors.Is(err, spool.ErrNotFound) || errors.Is(err, spool.ErrBadID) {
		return fmt.Errorf("%s: no such message is in the queue; it may have been delivered: wellsent queue list", what)
	}
	return fmt.Errorf("%s: %s", what, printable(err.Error()))
}

// printDone says what an order did. It is an error to have met nobody.
func (a *app) printDone(o order, s dispatch.Selection, done dispatch.Done) error {
	done.Skipped = list(done.Skipped)
	if a.json {
		if err := a.printJSON(done); err != nil {
			return err
		}
	} else if done.Recipients > 0 {
		p := a.page(a.stdout)
		p.line(count(done.Recipients, "recipient is ", "recipients are "), o.done)
		if p.err != nil {
			return p.err
		}
	}
	notes := a.page(a.stderr)
	for _, why := range done.Skipped {
		notes.paragraph(0, "left as it was: "+why)
	}
	if done.Recipients > 0 {
		return nil
	}
	if len(done.Skipped) > 0 {
		return fmt.Errorf("nothing to %s", o.name)
	}
	return fmt.Errorf("nothing to %s: %s (%s)", o.name, o.none, selected(s))
}

// selected names in words what a selection is about.
func selected(s dispatch.Selection) string {
	switch {
	case s.All:
		return "the whole queue"
	case s.Lane != "":
		return "lane " + printable(s.Lane)
	}
	return printable(strings.Join(s.IDs, ", "))
}

func (a *app) queueFlushCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "flush",
		Short: "Try everything that waits now, and wait for the result",
		Long: `Try every recipient that waits once, now, and return when that is done. With no
server running the mail is delivered by this command.`,
		Args: args(noArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := interruptible(c.Context())
			defer stop()
			q, err := a.orders(ctx)
			if errors.Is(err, errNoSpool) {
				return a.printFlushed(flushed{})
			}
			if err != nil {
				return err
			}
			defer q.close()
			if !q.running {
				fmt.Fprintln(a.stderr, "wellsent: no server is running; delivering from here")
			}
			var f flushed
			if f.Tried, err = countWaiting(ctx, q); err != nil {
				return orderError("flush", err)
			}
			err = q.Flush(ctx)
			if errors.Is(err, context.Canceled) {
				return errors.New("flush: interrupted; what was not tried keeps its time")
			}
			if err != nil {
				return orderError("flush", err)
			}
			if f.Waiting, err = countWaiting(ctx, q); err != nil {
				return orderError("flush", err)
			}
			return a.printFlushed(f)
		},
	}
}

// flushed is the result of queue flush.
type flushed struct {
	Tried   int `json:"tried"`   // recipients that waited before
	Waiting int `json:"waiting"` // recipients that wait now
}

func countWaiting(ctx context.Context, q *orders) (int, error) {
	n := 0
	for _, err := range q.List(ctx, dispatch.Filter{States: []string{string(spool.StateQueued)}}) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

func (a *app) printFlushed(f flushed) error {
	if a.json {
		return a.printJSON(f)
	}
	p := a.page(a.stdout)
	switch {
	case f.Tried == 0:
		p.line("nothing waits")
	case f.Waiting == 0:
		p.line(count(f.Tried, "recipient", "recipients"), " tried; nothing waits any more")
	default:
		p.line(count(f.Tried, "recipient", "recipients"), " tried; ", fmt.Sprint(f.Waiting), " still waiting, and why: wellsent queue list")
	}
	return p.err
}
