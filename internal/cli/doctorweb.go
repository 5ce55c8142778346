package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wellsent/wellsent/internal/doctor"
	"github.com/wellsent/wellsent/internal/webui"
)

// webPatience is what a run that goes on when the page is ended may still take.
const webPatience = 2 * time.Second

// doctorWeb serves the doctor's questions as a page until Ctrl-C.
func (a *app) doctorWeb(c *cobra.Command, words []string, f *doctorFlags) error {
	if len(words) > 0 || f.configOf != "" || f.user != "" || f.passwordFile != "" || f.tokenFile != "" {
		return wrongUse(c, "--web asks for address, server and login itself")
	}
	base := &doctor.Question{Security: doctor.Security(f.security), Selectors: f.selectors, Blocklists: f.blocklists, Hostname: f.helo, Timeout: f.timeout, IgnoreHistory: f.ignoreHistory}
	if err := checkDoctorFlags(c, words, f, base); err != nil {
		return err
	}
	base.State = a.stateDir()
	if err := doctorNetwork(c, f, base); err != nil {
		return err
	}
	page := webui.NewDoctor(webui.DoctorOptions{Programs: doctor.Clients(), Question: func(ctx context.Context, w webui.Answers) (*doctor.Question, error) {
		q := *base
		q.User, q.Password = w.User, w.Password
		if q.User == "" && q.Password != "" {
			q.User = w.Address
		}
		if q.Password == "" {
			q.User = "" // a name alone logs in nowhere
		}
		target := w.Server
		if target == "" {
			target = w.Address
		}
		if err := a.targetOf(c, target, f, &q); err != nil {
			text, _, _ := strings.Cut(err.Error(), "\n") // without the usage line of the command
			return nil, errors.New(text)
		}
		q.Address = w.Address
		return &q, nil
	}})
	ctx, stop := interruptible(c.Context())
	defer stop()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("serve the page: %w", err)
	}
	server := &http.Server{Handler: page, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	p := a.page(a.stderr)
	p.line("Open this page in your browser; only this machine gets there. Ctrl-C ends it.")
	p.line("  ", p.strong(page.URL(l.Addr())))
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve the page: %w", err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), webPatience)
	defer cancel()
	if server.Shutdown(last) != nil {
		_ = server.Close()
	}
	<-ended
	return nil
}
