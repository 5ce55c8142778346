package oauth

import (
	"time"
)

// inactivity is how long Entra ID keeps a refresh token that nobody uses.
const inactivity = 90 * 24 * time.Hour

// Status is what is known of a source. It holds no secret.
type Status struct {
	Route    string   `json:"route"`
	User     string   `json:"user"`
	Provider Provider `json:"provider"`
	Grant    Grant    `json:"grant"`
	SignedIn bool     `json:"signed_in"` // true where nobody needs to

	SignedInAt  time.Time `json:"signed_in_at,omitzero"` // a person, the last time
	Renewed     time.Time `json:"renewed,omitzero"`      // when a token was last had
	RefreshUsed time.Time `json:"refresh_used,omitzero"`

	Failing      string    `json:"failing"` // why no token is had; "": it works, or was not tried
	FailingSince time.Time `json:"failing_since,omitzero"`
	Problem      string    `json:"problem"` // the state cannot be read; "": it can

	Expires []Expiry      `json:"expires"`
	Tokens  []TokenStatus `json:"tokens"`
}

// Expiry is a day on which something ends.
type Expiry struct {
	What  string    `json:"what"` // one of the words below
	From  time.Time `json:"-"`    // since when it holds; zero: not known
	At    time.Time `json:"at"`
	Means string    `json:"means"` // what is to be done before
}

// What may end.
const (
	ExpirySecret       = "client secret"
	ExpiryCertificate  = "certificate"
	ExpiryRefreshToken = "refresh token"
)

// TokenStatus is one access token.
type TokenStatus struct {
	Audience Audience  `json:"audience"`
	Received time.Time `json:"received"`
	Spent    time.Time `json:"spent"`  // from when it is not given out
	Claims   *Claims   `json:"claims"` // nil: it tells nothing of itself
}

// Status returns what is known now.
func (s *Source) Status() Status {
	out := Status{Route: s.s.Route, User: s.s.User, Provider: s.s.Provider, Grant: s.s.Grant, Expires: []Expiry{}, Tokens: []TokenStatus{}}
	s.mu.Lock()
	err := s.loadLocked()
	st := s.state
	s.mu.Unlock()
	if err != nil {
		out.Problem = err.Error()
	}
	out.SignedIn = s.s.Grant != RefreshToken || st.Refresh != ""
	out.SignedInAt, out.Renewed, out.RefreshUsed, out.Failing, out.FailingSince = st.SignedIn, st.Renewed, st.RefreshUsed, st.Failing, st.FailingAt
	for _, a := range []Audience{SMTP, Graph, Gmail} {
		t, ok := st.Tokens[a]
		if !ok {
			continue
		}
		x := TokenStatus{Audience: a, Received: t.Received, Spent: t.Spent}
		if c, err := ReadClaims(t.Access); err == nil {
			x.Claims = c
		}
		out.Tokens = append(out.Tokens, x)
	}
	out.Expires = append(out.Expires, s.expiries(&st)...)
	return out
}

// expiries returns the days that are known.
func (s *Source) expiries(st *state) []Expiry {
	var all []Expiry
	login := "sign in again: wellsent route login " + s.s.Route
	if !s.s.SecretExpires.IsZero() {
		all = append(all, Expiry{What: ExpirySecret, At: s.s.SecretExpires, Means: "make a new one at the provider and put it into " + s.s.SecretFile})
	}
	if s.s.CertificateFile != "" {
		if c, err := readCertificate(s.s.CertificateFile); err == nil {
			all = append(all, Expiry{What: ExpiryCertificate, From: c.NotBefore, At: c.NotAfter, Means: "make a new one, register it at the provider and put it into " + s.s.CertificateFile})
		}
	}
	switch {
	case st.Refresh == "":
	case !st.RefreshExpires.IsZero():
		all = append(all, Expiry{What: ExpiryRefreshToken, From: st.RefreshUsed, At: st.RefreshExpires, Means: login})
	case s.s.Provider == Microsoft && !st.RefreshUsed.IsZero():
		all = append(all, Expiry{What: ExpiryRefreshToken, From: st.RefreshUsed, At: st.RefreshUsed.Add(inactivity), Means: login})
	}
	return all
}
