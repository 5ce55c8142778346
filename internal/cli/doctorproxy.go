package cli

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/wellsent/wellsent/internal/doctor"
	"github.com/wellsent/wellsent/internal/proxy"
)

// noProxy is the value of --proxy that leaves the environment alone.
const noProxy = "none"

// doctorProxy sets the proxy that is used at once, or where proxies are looked for
// when the server is not reached without.
func doctorProxy(c *cobra.Command, f *doctorFlags, q *doctor.Question) error {
	if f.proxy == "" || f.proxy == noProxy {
		if f.proxyPassword != "" {
			return wrongUse(c, "--proxy-password-file is for --proxy SCHEME://USER@HOST:PORT")
		}
		if f.proxy == "" {
			q.Environ = os.Getenv
		}
		return nil
	}
	p, err := proxy.Parse(f.proxy)
	if err != nil {
		return wrongUse(c, "--proxy: %s", err)
	}
	if f.proxyPassword != "" {
		if p.User() == "" || p.HasPassword() {
			return wrongUse(c, "with --proxy-password-file, --proxy names the user and no password: %s://USER@HOST:PORT", p.Scheme())
		}
		password, err := passwordFile(f.proxyPassword)
		if err != nil {
			return usageError("%s", err)
		}
		p = p.WithPassword(func() (string, error) { return password, nil })
	}
	q.Proxy = p.WithRoots(q.Roots)
	return nil
}
