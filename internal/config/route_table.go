package config

import (
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	"github.com/wellsent/wellsent/internal/route"
)

// sandboxRoute is the route of everything where nothing leaves.
const sandboxRoute = "sandbox"

// RouteTable returns the routes. In a sandbox there is one, that takes everything
// into a maildir. It reads the files of roots; an error says which one and why.
func (c *Config) RouteTable() (*route.Table, error) {
	if c.Sandbox {
		return &route.Table{Routes: []*route.Route{{
			Name:       sandboxRoute,
			Recipients: []string{"*"},
			Via:        []route.Via{{Scheme: route.SchemeSandbox}},
			TLS:        route.TLSNone,
		}}}, nil
	}
	t := &route.Table{Devices: map[string]*route.Route{}}
	exceptions := &route.Exceptions{Devices: map[string]route.Rewrite{}, Listeners: map[string]route.Rewrite{}}
	for i := range c.Devices {
		exceptions.Devices[c.Devices[i].Name] = c.Devices[i].Rewrite
	}
	for i := range c.Listeners {
		exceptions.Listeners[c.Listeners[i].Address] = c.Listeners[i].Rewrite
	}
	for _, r := range c.Routes {
		out := &route.Route{Name: r.Name, Recipients: r.Recipients, Via: r.Via, User: r.User, TLS: r.TLS, From: r.From,
			Pace: r.Pace, PaceOwn: r.PaceOwn, PaceHost: r.PaceHost,
			Match: r.Match, Rewrite: r.Rewrite, Aliases: r.Aliases, Exceptions: exceptions}
		if r.PasswordFile != "" {
			out.Password = passwordFrom(r.PasswordFile)
		}
		if r.CA != "" {
			roots, err := rootsWith(r.CA)
			if err != nil {
				return nil, fmt.Errorf("route %s: %w", r.Name, err)
			}
			out.Roots = roots
		}
		if err := r.out(out); err != nil {
			return nil, err
		}
		t.Routes = append(t.Routes, out)
		for i := range c.Devices {
			if c.Devices[i].Route == r.Name {
				t.Devices[c.Devices[i].Name] = out
			}
		}
	}
	return t, nil
}

// passwordFrom returns a reader of a password file. One line end after the
// password is not part of it.
func passwordFrom(path string) func() (string, error) {
	return func() (string, error) {
		data, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("password file: %w", err)
		}
		return trimLineEnd(string(data)), nil
	}
}

func trimLineEnd(s string) string {
	return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r")
}

// rootsWith returns the system's roots and those of the file at path.
func rootsWith(path string) (*x509.CertPool, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", path)
	}
	return roots, nil
}
