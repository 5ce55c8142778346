package config

import (
	"testing"
	"time"
)

func TestParseSize(t *testing.T) {
	for s, want := range map[string]int64{
		"1048576": 1 << 20,
		"35MiB":   35 << 20,
		"35 MB":   35_000_000,
		"35mb":    35_000_000,
		"1.5GiB":  3 << 29,
		"10KB":    10_000,
		"10KiB":   10 << 10,
		"5B":      5,
	} {
		if got, err := parseSize(s); got != want || err != nil {
			t.Errorf("%q: %d, %v, want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "MiB", "-1MB", "35M", "1e3", "1..2MB", "99999999999999999999GiB"} {
		if got, err := parseSize(s); err == nil {
			t.Errorf("%q: %d, want an error", s, got)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for _, c := range []struct {
		text       string
		want       time.Duration // 0: a mistake
		suggestion string
	}{
		{"90s", 90 * time.Second, ""},
		{"1h30m", 90 * time.Minute, ""},
		{"5d", 0, `"120h"`},
		{"1 week", 0, `"168h"`},
		{"4 hours", 0, `"4h"`},
		{"10min", 0, `"10m"`},
		{"60", 0, `"60s"`},
		{"0s", 0, ""},
		{"soon", 0, ""},
		{"", 0, ""},
	} {
		got, suggestion, err := parseDuration(c.text)
		if got != c.want || suggestion != c.suggestion || (err == nil) != (c.want > 0) {
			t.Errorf("%q: %v, %s, %v", c.text, got, suggestion, err)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Minute: "1m", 4 * time.Hour: "4h", 120 * time.Hour: "120h", 90 * time.Minute: "1h30m", 90 * time.Second: "1m30s", 30 * time.Second: "30s",
	} {
		if got := formatDuration(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"hostname", "listener", "route", "tls", "queue", "password_file"}
	for word, want := range map[string]string{
		"hostnam":       "hostname",
		"hsotname":      "hostname",
		"Listener":      "listener",
		"routes":        "route",
		"tsl":           "tls",
		"passwordfile":  "password_file",
		"password-file": "password_file",
		"colour":        "",
		"":              "",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}
