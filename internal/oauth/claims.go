package oauth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// Claims are what an access token says of itself. Nothing vouches for them: the
// signature is the server's to check. Microsoft's are readable, Google's are not.
type Claims struct {
	Issuer    string    `json:"iss"`
	Audience  []string  `json:"aud"`
	Scopes    []string  `json:"scopes"` // "scp" or "scope": of a person's token
	Roles     []string  `json:"roles"`  // of a program's token
	User      string    `json:"user"`   // "upn", "preferred_username", "email"
	Subject   string    `json:"sub"`
	AppID     string    `json:"app_id"` // "appid", "azp", "client_id"
	Tenant    string    `json:"tenant"` // "tid"
	NotBefore time.Time `json:"not_before,omitzero"`
	Expires   time.Time `json:"expires,omitzero"`
}

var errOpaque = errors.New("the token tells nothing of itself")

// ReadClaims reads the claims of a JWT without checking its signature. A token
// that is none is an error.
func ReadClaims(token string) (*Claims, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errOpaque
	}
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return nil, errOpaque
	}
	var raw struct {
		Issuer    string   `json:"iss"`
		Audience  anyList  `json:"aud"`
		Scp       anyList  `json:"scp"`
		Scope     anyList  `json:"scope"`
		Roles     anyList  `json:"roles"`
		UPN       string   `json:"upn"`
		Preferred string   `json:"preferred_username"`
		Email     string   `json:"email"`
		Subject   string   `json:"sub"`
		AppID     string   `json:"appid"`
		AZP       string   `json:"azp"`
		ClientID  string   `json:"client_id"`
		Tenant    string   `json:"tid"`
		NotBefore *seconds `json:"nbf"`
		Expires   *seconds `json:"exp"`
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, errOpaque
	}
	c := &Claims{Issuer: raw.Issuer, Audience: list(raw.Audience), Scopes: list(append(words(strings.Join(raw.Scp, " ")), words(strings.Join(raw.Scope, " "))...)),
		Roles: list(raw.Roles), User: first(raw.UPN, raw.Preferred, raw.Email), Subject: raw.Subject, AppID: first(raw.AppID, raw.AZP, raw.ClientID), Tenant: raw.Tenant}
	if raw.NotBefore != nil {
		c.NotBefore = time.Unix(int64(*raw.NotBefore), 0).UTC()
	}
	if raw.Expires != nil {
		c.Expires = time.Unix(int64(*raw.Expires), 0).UTC()
	}
	return c, nil
}

// anyList is a claim that is a text or a list of texts.
type anyList []string

// UnmarshalJSON reads either.
func (l *anyList) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*l = []string{one}
		return nil
	}
	var many []string
	if err := json.Unmarshal(b, &many); err != nil {
		return err
	}
	*l = many
	return nil
}

func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func first(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}
