package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wellsent/wellsent/internal/device"
	"github.com/wellsent/wellsent/internal/httpapi"
)

func (a *app) deviceCommand() *cobra.Command {
	c := group(&cobra.Command{Use: "device", Short: "See how printers, scanners and other devices do"})
	c.AddCommand(a.deviceListCommand())
	return c
}

func (a *app) deviceListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List devices: last mail, weak encryption, what failed and why",
		Long: `List each [[device]] of the configuration: when it was seen and sent mail last,
which TLS it uses, whether its password crosses the network in clear text, how
its connections failed lately and what helps, and since when it is silent.
Clients that are no device are listed where their connections failed.

No server needs to run: what it has seen is in its data directory.`,
		Args: args(noArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			report, err := a.devices(c.Context())
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(list(report))
			}
			return a.printDevices(report)
		},
	}
}

// devices returns the report of the running server, or what the last one has
// written.
func (a *app) devices(ctx context.Context) ([]device.Status, error) {
	cfg, err := a.loadConfig()
	if err != nil {
		return nil, err
	}
	report, err := httpapi.NewClient(filepath.Join(cfg.Data, httpapi.SocketName)).Devices(ctx)
	switch {
	case err == nil:
		return report, nil
	case errors.Is(err, httpapi.ErrDenied):
		return nil, denied(cfg.Data)
	case !errors.Is(err, httpapi.ErrNotRunning):
		return nil, err
	}
	records, err := device.Read(cfg.Data)
	if errors.Is(err, fs.ErrPermission) {
		return nil, denied(cfg.Data)
	}
	if err != nil {
		return nil, err
	}
	return device.Report(cfg.DeviceSet(), records, time.Now()), nil
}

func (a *app) printDevices(report []device.Status) error {
	p := a.page(a.stdout)
	now := time.Now()
	if len(report) == 0 {
		p.line("no device is configured, and no client has failed")
		p.line("how to add one: docs/devices.md")
	}
	for i := range report {
		if i > 0 {
			p.line()
		}
		p.device(&report[i], now)
	}
	return p.err
}

// device writes one device or peer.
func (p *page) device(s *device.Status, now time.Time) {
	name := s.Name
	if name == "" {
		name = s.Peer + " (no device)"
	}
	mark := p.good("✓ ")
	switch {
	case len(s.Worries) > 0:
		mark = p.warn("! ")
	case !s.Known || s.LastSeen == nil:
		mark = "· "
	}
	p.line(mark, p.strong(printable(name)))
	where := strings.Join(s.Addresses, ", ")
	if s.Account != "" {
		where = strings.TrimPrefix(where+"; account "+s.Account, "; ")
	}
	if where != "" {
		p.field(2, "is", where)
	}
	if len(s.Leniencies) > 0 {
		p.field(2, "may", strings.Join(s.Leniencies, ", "))
	}
	p.field(2, "seen", when(s.LastSeen, now)+at(s.Peer)+by(s.Listener))
	if s.Known {
		mail := when(s.LastMail, now)
		if s.Messages > 0 {
			mail += fmt.Sprintf(", %d in all", s.Messages)
		}
		p.field(2, "mail", mail)
	}
	switch s.TLS {
	case "":
	case "none":
		p.field(2, "tls", "none: its mail crosses the network in clear text")
	default:
		p.field(2, "tls", s.TLS)
	}
	if len(s.Quirks) > 0 {
		p.field(2, "let by", strings.Join(s.Quirks, ", "))
	}
	said := map[string]bool{}
	for _, w := range s.Worries {
		p.line()
		for i, l := range wrap(printable(w.What), p.width-4) {
			if i == 0 {
				p.line("  ", p.warn(l))
			} else {
				p.line("    ", p.warn(l))
			}
		}
		p.list("do", w.Do)
		if w.Cause != "" {
			p.field(2, "cause", string(w.Cause))
		}
		said[w.What] = true
	}
	for _, f := range s.Failures {
		text := f.What
		if f.Over {
			text += "; mail has come since"
		}
		p.line()
		if said[f.What] {
			p.field(2, "failed", whenWas(f.At, now)+by(f.Listener)+times(f.Count)+", as said above")
			continue
		}
		p.field(2, "failed", whenWas(f.At, now)+by(f.Listener)+times(f.Count)+": "+text)
		p.list("do", f.Do)
		if f.Cause != "" {
			p.field(2, "cause", string(f.Cause))
		}
	}
}

func times(n int) string {
	if n < 2 {
		return ""
	}
	return fmt.Sprintf(", %d times", n)
}

func at(peer string) string {
	if peer == "" {
		return ""
	}
	return " at " + peer
}

func by(listener string) string {
	if listener == "" {
		return ""
	}
	return " by listener " + listener
}

// when says when something was, "never" for nil.
func when(t *time.Time, now time.Time) string {
	if t == nil {
		return "never"
	}
	return whenWas(*t, now)
}

// whenWas returns "14:05:10 (3 min ago)".
func whenWas(t, now time.Time) string {
	return clock(t, now) + " (" + durationText(max(0, now.Sub(t))) + " ago)"
}
