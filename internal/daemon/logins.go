package daemon

import (
	"github.com/wellsent/wellsent/internal/auth"
	"github.com/wellsent/wellsent/internal/auth/ldapauth"
	"github.com/wellsent/wellsent/internal/auth/oidcauth"
	"github.com/wellsent/wellsent/internal/auth/upstreamauth"
	"github.com/wellsent/wellsent/internal/config"
	"github.com/wellsent/wellsent/internal/resolver"
)

// setOutside makes what knows accounts that are kept elsewhere. Nobody is asked yet.
// On reload it is made anew: what upstream was remembered to have said is forgotten.
func (d *Daemon) setOutside(cfg *config.Config) error {
	var backends []auth.Backend
	var tokens auth.TokenVerifier
	if o := cfg.Auth.LDAP; o != nil {
		b, err := ldapauth.New(*o)
		if err != nil {
			return err
		}
		backends = append(backends, b)
	}
	if o := cfg.Auth.Upstream; o != nil {
		u := *o
		u.Hostname = cfg.Hostname
		u.Addresses = resolver.New(resolver.Options{Servers: cfg.Resolver.Servers}).Addresses
		backends = append(backends, upstreamauth.New(u))
	}
	if o := cfg.Auth.OIDC; o != nil {
		v, err := oidcauth.New(*o)
		if err != nil {
			return err
		}
		tokens = v
	}
	d.accounts.SetOutside(backends, tokens)
	return nil
}
