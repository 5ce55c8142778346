package oauth

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// imds is where a virtual machine in Azure asks for its identity. The address is
// link-local: nobody else hears it.
const imds = "http://169.254.169.254/metadata/identity/oauth2/token"

// managed gets a token for the machine's identity: from App Service and its kin
// where the environment says so, else from the instance metadata service.
func (c *client) managed(ctx context.Context, a Audience) (*answer, error) {
	address, version := c.s.IdentityURL, "2018-02-01"
	header := http.Header{"Metadata": {"true"}}
	secret := ""
	if address == "" {
		if address = os.Getenv("IDENTITY_ENDPOINT"); address != "" {
			secret, version = os.Getenv("IDENTITY_HEADER"), "2019-08-01"
			header = http.Header{"X-Identity-Header": {secret}}
		} else {
			address = imds
		}
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, &Error{Words: "the address of the machine's identity makes no sense: look at identity_url or $IDENTITY_ENDPOINT"}
	}
	q := u.Query()
	q.Set("api-version", version)
	q.Set("resource", resource(c.s.scopes(a)))
	if c.s.ClientID != "" { // one of several identities of the machine
		q.Set("client_id", c.s.ClientID)
	}
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, &Error{Host: u.Host, Err: err}
	}
	req.Header = header
	ans, err := c.ask(req, secret)
	if err != nil {
		return nil, err
	}
	if ans.ExpiresIn == 0 && ans.ExpiresOn > 0 {
		left := time.Unix(int64(ans.ExpiresOn), 0).Sub(ans.received.Add(c.clockSkew()))
		ans.ExpiresIn = seconds(max(0, left/time.Second))
	}
	return ans, nil
}

// resource returns the resource of a scope, as the older interface wants it.
func resource(scopes []string) string {
	if len(scopes) == 0 {
		return ""
	}
	return strings.TrimSuffix(scopes[0], "/.default")
}
