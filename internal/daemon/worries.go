package daemon

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/wellsent/wellsent/internal/certificate"
	"github.com/wellsent/wellsent/internal/config"
	"github.com/wellsent/wellsent/internal/device"
	"github.com/wellsent/wellsent/internal/dispatch"
	"github.com/wellsent/wellsent/internal/oauth"
	"github.com/wellsent/wellsent/internal/spool"
	"github.com/wellsent/wellsent/internal/worry"
)

// How the server looks at itself.
const (
	watchEvery = time.Hour
	warnEvery  = 24 * time.Hour // the same worry in the log
	countMost  = 10_000         // messages; more are not counted

	smallMessage = 64 << 10 // octets; with no room for it the disk is full
)

// Worries returns what will stop mail soon or has, the worst first. Each kind has
// one line here.
func (d *Daemon) Worries(ctx context.Context) ([]worry.Worry, error) {
	now := time.Now()
	all := []worry.Worry{}
	for _, look := range []func(context.Context, time.Time) ([]worry.Worry, error){
		d.laneWorries, d.mailWorries, d.roomWorries, d.certificateWorries, d.clientCertificateWorries, d.tokenWorries, d.deviceWorries,
	} {
		found, err := look(ctx, now)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	worry.Sort(all)
	return all, nil
}

func (d *Daemon) laneWorries(ctx context.Context, now time.Time) ([]worry.Worry, error) {
	lanes, err := d.dispatcher.Lanes(ctx)
	return worry.Lanes(lanes, d.patience, now), err
}

func (d *Daemon) mailWorries(ctx context.Context, now time.Time) ([]worry.Worry, error) {
	var m worry.Mail
	for e, err := range d.dispatcher.List(ctx, dispatch.Filter{States: []string{string(spool.StateQueued)}}) {
		if err != nil {
			return nil, err
		}
		m.Oldest = e.Received // they come in the order of acceptance
		break
	}
	var err error
	if m.Dead, err = d.count(ctx, spool.StateDead, func(*dispatch.Entry) bool { return true }); err != nil {
		return nil, err
	}
	// What an operator holds is the operator's own affair.
	if m.Held, err = d.count(ctx, spool.StateHeld, func(e *dispatch.Entry) bool { return e.Cause.Family() == "sender" }); err != nil {
		return nil, err
	}
	return worry.Queue(m, d.patience, now), nil
}

// count returns how many messages have a recipient in that state for which is holds.
func (d *Daemon) count(ctx context.Context, state spool.State, is func(*dispatch.Entry) bool) (n int, err error) {
	seen := spool.QueueID("")
	for e, err := range d.dispatcher.List(ctx, dispatch.Filter{States: []string{string(state)}}) {
		if err != nil {
			return 0, err
		}
		if e.QueueID == seen || !is(&e) {
			continue
		}
		seen = e.QueueID
		if n++; n >= countMost {
			break
		}
	}
	return n, nil
}

func (d *Daemon) roomWorries(context.Context, time.Time) ([]worry.Worry, error) {
	if err := d.store.Room(smallMessage); errors.Is(err, spool.ErrFull) { // what is broken stops the server, and is said elsewhere
		return worry.Room(d.data, err), nil
	}
	return nil, nil
}

func (d *Daemon) certificateWorries(_ context.Context, now time.Time) ([]worry.Worry, error) {
	return configuredCertificate(d.certificate, now), nil
}

func (d *Daemon) clientCertificateWorries(_ context.Context, now time.Time) ([]worry.Worry, error) {
	return clientCertificates(*d.clients.Load(), now), nil
}

// watchClients takes from cfg which certificates routes show.
func (d *Daemon) watchClients(cfg *config.Config) {
	byRoute := cfg.ClientCertificates()
	d.clients.Store(&byRoute)
}

// clientCertificates judges what routes show to servers.
func clientCertificates(byRoute map[string]*certificate.Client, now time.Time) []worry.Worry {
	var all []worry.Worry
	for _, name := range slices.Sorted(maps.Keys(byRoute)) {
		end, err := byRoute[name].NotAfter()
		all = append(all, worry.ClientCertificate(name, end, err, now)...)
	}
	return all
}

func (d *Daemon) tokenWorries(_ context.Context, now time.Time) ([]worry.Worry, error) {
	var all []worry.Worry
	for _, s := range d.tokens.All() {
		all = append(all, worry.Tokens(s.Status(), now)...)
	}
	return all, nil
}

// deviceWorries are those of package device. Without a server what the last one has
// written counts.
func (d *Daemon) deviceWorries(_ context.Context, now time.Time) ([]worry.Worry, error) {
	var report []device.Status
	if d.book != nil {
		report = d.Devices()
	} else {
		records, err := device.Read(d.data)
		if err != nil {
			return nil, err
		}
		report = device.Report(d.devices.Load(), records, now)
	}
	var all []worry.Worry
	for _, w := range device.Worries(report) {
		all = append(all, worry.Worry{Kind: worry.Device + worry.Kind(w.Kind), Subject: w.Device, What: w.What, Cause: w.Cause, Do: w.Do})
	}
	return all, nil
}

// configuredCertificate judges the operator's own certificate, file "" for none:
// the private CA renews its own.
func configuredCertificate(file string, now time.Time) []worry.Worry {
	if file == "" {
		return nil
	}
	end, err := oauth.CertificateEnd(file)
	if err != nil {
		return []worry.Worry{{Kind: worry.Unreadable, Subject: file, Now: true, Cause: "client.bad-configuration", What: "the certificate cannot be read: " + err.Error(), Do: []string{}}}
	}
	return worry.ServerCertificate(file, end, now)
}

// WorriesWithout returns the worries about a configuration of which no server has
// run yet, and so no spool is.
func WorriesWithout(cfg *config.Config) ([]worry.Worry, error) {
	now := time.Now()
	all := append([]worry.Worry{}, configuredCertificate(cfg.TLS.Certificate, now)...)
	all = append(all, clientCertificates(cfg.ClientCertificates(), now)...)
	tokens := oauth.New(cfg.Data, oauth.Options{})
	defer tokens.Close()
	for i := range cfg.Routes {
		set, err := cfg.Routes[i].TokenSettings()
		if err != nil {
			return nil, err
		}
		if set != nil && !cfg.Sandbox {
			all = append(all, worry.Tokens(tokens.Source(*set).Status(), now)...)
		}
	}
	worry.Sort(all)
	return all, nil
}

// watch looks after what ends by itself: it logs worries that no outcome of mail
// does, each once a day, and uses refresh tokens that nobody else does.
func (d *Daemon) watch(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	told := map[string]time.Time{}
	for {
		d.tokens.KeepAlive(ctx)
		now := time.Now()
		for _, look := range []func(context.Context, time.Time) ([]worry.Worry, error){d.certificateWorries, d.clientCertificateWorries, d.tokenWorries} {
			found, err := look(ctx, now)
			if err != nil && !errors.Is(err, context.Canceled) {
				d.log.Error("look for what will stop mail", "error", err)
			}
			for _, w := range found {
				key := string(w.Kind) + " " + w.Subject
				if now.Sub(told[key]) < warnEvery {
					continue
				}
				told[key] = now
				d.log.Warn("worry", "kind", string(w.Kind), "subject", w.Subject, "what", w.What, "do", w.Do)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
