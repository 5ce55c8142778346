package provider

import "testing"

func TestMisspelt(t *testing.T) {
	for name, want := range map[string]string{
		"gmial.com":             "gmail.com",
		"gmai.com":              "gmail.com",
		"gnail.com":             "gmail.com",
		"gmail.con":             "gmail.com",
		"gmail.co":              "gmail.com",
		"hotmail.cmo":           "hotmail.com",
		"hotmial.com":           "hotmail.com",
		"hotmall.con":           "hotmail.com",
		"outlok.com":            "outlook.com",
		"yaho.com":              "yahoo.com",
		"yahooo.com":            "yahoo.com",
		"icloud.co":             "icloud.com",
		"iclod.com":             "icloud.com",
		"Smtp.Gmial.com.":       "smtp.gmail.com",
		"smpt.gmail.com":        "smtp.gmail.com",
		"stmp.office365.com":    "smtp.office365.com",
		"smtp.ofice365.com":     "smtp.office365.com",
		"smtp.office356.com":    "smtp.office365.com",
		"smtpgmail.com":         "smtp.gmail.com",
		"smtp.mail.yaho.com":    "smtp.mail.yahoo.com",
		"smtp.sengrid.net":      "smtp.sendgrid.net",
		"securesmtp.t-onlin.de": "securesmtp.t-online.de",
		"imap.gmial.com":        "imap.gmail.com",
	} {
		if got, ok := Misspelt(name); !ok || got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// Names that are near to others and nobody's slip.
func TestMisspelt_LeavesNamesAlone(t *testing.T) {
	for _, name := range []string{
		"gmail.com", "ymail.com", "mail.com", "email.com", "smtp.gmail.com", "imap.gmail.com", // known
		"smtp.live.com", "smtp-emea.outlook.com", "tesco.net", // known of old
		"contoso-com.mail.protection.outlook.com", "email-smtp.me-south-1.amazonaws.com",
		"abc.de", "wep.de", "smtp.abc.com", "abc.co.uk", "smtp.abc.co.uk", "gmx.uk", "me.co", // short
		"yahoo.lu", "hotmail.lu", "fastmail.info", "yandex.org", // another country's or register's
		"example.com", "smtp.example.com", "mail.example.org", "mail.gmail.com", "gmail.de",
		"", ".", "gmail", "com",
	} {
		if got, ok := Misspelt(name); ok {
			t.Errorf("%s: %q, want none", name, got)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"abc", "abc", 0}, {"abc", "", 3}, {"", "ab", 2}, {"abc", "abd", 1}, {"abc", "ab", 1},
		{"abc", "acb", 1}, {"ab", "ba", 1}, {"ca", "abc", 3}, {"gmial", "gmail", 1}, {"kitten", "sitting", 3},
	} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("%s %s: %d, want %d", test.a, test.b, got, test.want)
		}
		if got := distance(test.b, test.a); got != test.want {
			t.Errorf("%s %s: %d, want %d", test.b, test.a, got, test.want)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, test := range []struct {
		pattern, name string
		want          bool
	}{
		{"a.example", "a.example", true}, {"a.example", "b.example", false},
		{"*.example", "a.example", true}, {"*.example", "a.b.example", true}, {"*.example", ".example", false},
		{"pod*.example", "pod1.example", true}, {"pod*.example", "pod.example", false},
		{"a-*.b.*.example", "a-1.b.2.example", true}, {"a-*.b.*.example", "a-1.b.example", false}, {"a*a", "a", false},
		{"*.a.*.a", "a.a.a", false},
	} {
		if got := matches(test.pattern, test.name); got != test.want {
			t.Errorf("%s %s: %v", test.pattern, test.name, got)
		}
	}
}

func FuzzMisspelt(f *testing.F) {
	for _, s := range []string{"gmial.com", "smtp..com", "a.b.c.d", "*.com", "\xff.com"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got, ok := Misspelt(name)
		if ok && (!Known(got) || Known(name)) {
			t.Errorf("%q: %q", name, got)
		}
		RoleOf(name)
	})
}
