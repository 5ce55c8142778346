package oauth_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"

	"github.com/wellsent/wellsent/internal/oauth"
	"github.com/wellsent/wellsent/internal/oauth/oauthtest"
)

// A route's proxy carries what is asked of the provider, and with another one the
// source is another.
func TestSource_AsksByTheRoutesWay(t *testing.T) {
	p := oauthtest.New(t)
	set := person(p)
	set.Grant, set.ClientID, set.SecretFile = oauth.ClientCredentials, oauthtest.Program, file(t, oauthtest.Secret+"\n")
	var dials atomic.Int32
	set.Dial, set.Proxy = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}, "http://proxy.test"
	sources := open(t, t.TempDir(), &clocked{})
	s := sources.Source(set)
	token(t, p, s, "")
	if dials.Load() == 0 {
		t.Error("the provider was asked past the proxy")
	}
	if sources.Source(set) != s {
		t.Error("the same settings have another source")
	}
	set.Proxy = "http://other.test"
	if sources.Source(set) == s {
		t.Error("another proxy has the same source")
	}
}
