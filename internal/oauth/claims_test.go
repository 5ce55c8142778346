package oauth

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func jwtOf(claims string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".sig"
}

func TestReadClaims(t *testing.T) {
	at := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, give string
		want       *Claims // nil: an error
	}{
		{"a person's, of Entra ID", jwtOf(`{"aud":"https://outlook.office.com","iss":"https://sts.windows.net/t/","exp":1798761600,"scp":"SMTP.Send offline","upn":"ann@example.org","appid":"1111","tid":"t"}`),
			&Claims{Issuer: "https://sts.windows.net/t/", Audience: []string{"https://outlook.office.com"}, Scopes: []string{"SMTP.Send", "offline"}, Roles: []string{}, User: "ann@example.org", AppID: "1111", Tenant: "t", Expires: at}},
		{"a program's, of Entra ID", jwtOf(`{"aud":["https://outlook.office365.com"],"roles":["SMTP.SendAsApp"],"exp":"1798761600"}`),
			&Claims{Audience: []string{"https://outlook.office365.com"}, Scopes: []string{}, Roles: []string{"SMTP.SendAsApp"}, Expires: at}},
		{"opaque, of Google", "ya29.a0AfH6SMBx", nil},
		{"rubbish between dots", "a.b!.c", nil},
		{"no JSON", jwtOf("hello"), nil},
		{"a number for a list", jwtOf(`{"aud": 7}`), nil},
	} {
		got, err := ReadClaims(c.give)
		if c.want == nil {
			if err == nil {
				t.Errorf("%s: got %+v", c.name, got)
			}
			continue
		}
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v, -want +got:\n%s", c.name, err, diff)
		}
	}
}

func FuzzReadClaims(f *testing.F) {
	f.Add(`{"aud":"x","exp":1e9,"scp":"a b"}`)
	f.Add(`{"exp":1e12}`)
	f.Add(`{"aud":["x"],"exp":"1","roles":null}`)
	f.Fuzz(func(t *testing.T, claims string) {
		c, err := ReadClaims(jwtOf(claims))
		if err != nil {
			return
		}
		if c.Audience == nil || c.Scopes == nil || c.Roles == nil {
			t.Errorf("a list is null: %+v", c)
		}
		if _, err := json.Marshal(c); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add(`{"access_token":"a","expires_in":"3599","expires_on":1}`)
	f.Add(`{"access_token":"a","expires_in":1e11}`)
	f.Add(`{"error":"invalid_grant","error_description":"x"}`)
	f.Fuzz(func(t *testing.T, body string) {
		var a answer
		if json.Unmarshal([]byte(body), &a) != nil {
			return
		}
		a.received = time.Now()
		if x := newToken(&a, ""); x.Spent.Before(x.Renew) || x.Spent.Sub(x.Received) > maxLife || x.Spent.Before(x.Received) {
			t.Errorf("%+v", x)
		}
	})
}

func TestClean_BoundedPrintableWithoutSecrets(t *testing.T) {
	got := clean("no:\r\n\x1b[31m secret-word "+strings.Repeat("x", 5000), "secret-word", "")
	if strings.Contains(got, "secret-word") || strings.ContainsAny(got, "\r\n\x1b") || len(got) > maxWords+8 {
		t.Errorf("%q", got)
	}
}
