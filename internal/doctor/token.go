package doctor

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Token is what an OAuth access token says of itself. Its signature is not checked:
// that is for the server.
type Token struct {
	Readable  bool      // it is a JWT; others are opaque to everybody but their server
	Expires   time.Time // zero: not said
	Audience  []string
	Scopes    []string
	Roles     []string
	User      string
	Tenant    string
	App       string // client id
	Object    string // of whom it is: a person, or an app's service principal
	Type      string // "app" or "user", where it says so
	Issuer    string
	microsoft bool
}

// readToken decodes a token locally. RFC 7519 §3.
func readToken(token string) *Token {
	t := &Token{}
	parts := strings.Split(strings.TrimSpace(token), ".")
	if len(parts) != 3 {
		return t
	}
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return t
	}
	var claims struct {
		Exp               json.Number     `json:"exp"`
		Aud               json.RawMessage `json:"aud"`
		Scp               string          `json:"scp"`
		Scope             string          `json:"scope"`
		Roles             []string        `json:"roles"`
		UPN               string          `json:"upn"`
		PreferredUsername string          `json:"preferred_username"`
		UniqueName        string          `json:"unique_name"`
		Email             string          `json:"email"`
		TID               string          `json:"tid"`
		AppID             string          `json:"appid"`
		AZP               string          `json:"azp"`
		OID               string          `json:"oid"`
		IDType            string          `json:"idtyp"`
		Iss               string          `json:"iss"`
	}
	if json.Unmarshal(b, &claims) != nil {
		return t
	}
	t.Readable, t.Tenant, t.Issuer, t.Roles = true, claims.TID, claims.Iss, claims.Roles
	t.Object, t.Type = claims.OID, claims.IDType
	if t.App = claims.AppID; t.App == "" {
		t.App = claims.AZP
	}
	if seconds, err := claims.Exp.Float64(); err == nil && seconds > 0 {
		t.Expires = time.Unix(int64(seconds), 0).UTC()
	}
	var one string
	if json.Unmarshal(claims.Aud, &one) == nil && one != "" {
		t.Audience = []string{one}
	} else {
		_ = json.Unmarshal(claims.Aud, &t.Audience)
	}
	t.Scopes = strings.Fields(claims.Scp + " " + claims.Scope)
	for _, u := range []string{claims.UPN, claims.PreferredUsername, claims.UniqueName, claims.Email} {
		if u != "" {
			t.User = u
			break
		}
	}
	t.microsoft = t.forExchange() || t.forGraph() || slices.ContainsFunc(microsoftIssuers, func(host string) bool { return strings.Contains(t.Issuer, host) })
	return t
}

// The hosts of Microsoft's identity provider, those of its national clouds too.
var microsoftIssuers = []string{"login.microsoftonline.com", "sts.windows.net", "login.microsoftonline.us", "login.partner.microsoftonline.cn", "sts.chinacloudapi.cn"}

// The audiences of Exchange Online: its names, those in national clouds, and its
// application id.
var exchangeAudiences = []string{
	"https://outlook.office.com", "https://outlook.office365.com", "https://outlook.office365.us", "https://outlook-dod.office365.us",
	"https://webmail.apps.mil", "https://partner.outlook.cn", "00000002-0000-0ff1-ce00-000000000000",
}

// forExchange reports whether the token is for Exchange Online.
func (t *Token) forExchange() bool {
	return slices.ContainsFunc(t.Audience, func(a string) bool {
		return slices.Contains(exchangeAudiences, strings.TrimSuffix(strings.ToLower(a), "/"))
	})
}

// expired reports whether the token's time is over.
func (t *Token) expired(now time.Time) bool { return !t.Expires.IsZero() && now.After(t.Expires) }

// wrongAudience reports whether the token is for another service than the one that
// takes mail. It is known only of Microsoft's.
func (t *Token) wrongAudience() bool {
	return t.microsoft && len(t.Audience) > 0 && !t.forExchange()
}

// lacksScope reports whether the token does not allow sending. It is known only of
// Microsoft's.
func (t *Token) lacksScope() bool {
	if !t.microsoft || len(t.Scopes)+len(t.Roles) == 0 {
		return false
	}
	for _, s := range append(slices.Clone(t.Scopes), t.Roles...) {
		s = s[strings.LastIndexByte(s, '/')+1:]
		if strings.EqualFold(s, "SMTP.Send") || strings.EqualFold(s, "SMTP.SendAsApp") {
			return false
		}
	}
	return true
}

// appOnly reports whether the token is a program's own and no person's.
func (t *Token) appOnly() bool {
	return t.Type == "app" || t.Type == "" && t.User == "" && len(t.Scopes) == 0
}

// forGraph reports whether the token is for Microsoft Graph.
func (t *Token) forGraph() bool {
	return slices.ContainsFunc(t.Audience, func(a string) bool {
		return strings.HasPrefix(strings.ToLower(a), "https://graph.microsoft.com") || a == "00000003-0000-0000-c000-000000000000"
	})
}

// maySendByGraph reports whether the token names the permission to send by Graph.
func (t *Token) maySendByGraph() bool {
	for _, s := range append(slices.Clone(t.Scopes), t.Roles...) {
		if s = s[strings.LastIndexByte(s, '/')+1:]; strings.EqualFold(s, "Mail.Send") || strings.EqualFold(s, "Mail.Send.Shared") {
			return true
		}
	}
	return false
}

// allows returns what the token allows, in words.
func (t *Token) allows() string {
	if all := append(slices.Clone(t.Scopes), t.Roles...); len(all) > 0 {
		return listOf(all)
	}
	return "nothing"
}

// unfit says why the token cannot work, or "".
func (t *Token) unfit(now time.Time) string {
	switch {
	case t.expired(now):
		return fmt.Sprintf("it expired at %s, %s ago", t.Expires.Format(time.RFC3339), inWords(now.Sub(t.Expires)))
	case t.wrongAudience():
		return "its audience is " + strings.Join(t.Audience, ", ") + ", and Exchange Online's is https://outlook.office.com"
	case t.lacksScope():
		return "its scopes are " + strings.Join(append(slices.Clone(t.Scopes), t.Roles...), " ") + ", and SMTP.Send is not among them"
	}
	return ""
}

// inWords returns a duration as a person would say it.
func inWords(d time.Duration) string {
	unit := func(n int64, one string) string {
		if n == 1 {
			return "1 " + one
		}
		return fmt.Sprintf("%d %ss", n, one)
	}
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int64(d.Seconds()))
	case d < 2*time.Hour:
		return unit(int64(d.Minutes()), "minute")
	case d < 48*time.Hour:
		return unit(int64(d.Hours()), "hour")
	}
	return unit(int64(d.Hours())/24, "day")
}
