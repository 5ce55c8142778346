package cli

import (
	"strings"
	"testing"
	"time"
)

func TestWrap_BreaksBetweenWordsOnly(t *testing.T) {
	for _, tc := range []struct {
		text  string
		width int
		want  string
	}{
		{"", 10, ""},
		{"one", 10, "one"},
		{"one two three", 7, "one two|three"},
		{"one two three", 8, "one two|three"},
		{"  spaces \n and lines ", 20, "spaces and lines"},
		{"a wellsent-queue-resume-0123456789 b", 8, "a|wellsent-queue-resume-0123456789|b"},
		{"größe größe", 5, "größe|größe"},
		{"日本 語語", 5, "日本|語語"},
	} {
		if got := strings.Join(wrap(tc.text, tc.width), "|"); got != tc.want {
			t.Errorf("wrap(%q, %d) is %q, want %q", tc.text, tc.width, got, tc.want)
		}
	}
}

func TestPrintable_KeepsATerminalFromObeying(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"550 no such user", "550 no such user"},
		{"grüße 日本", "grüße 日本"},
		{"a\nb\r\tc", "a b  c"},
		{"\x1b[31mred", "�[31mred"},
		{"\u009b31m", "�31m"},         // CSI in one character
		{"\u202eevil", "�evil"},       // right-to-left override
		{"a\x00b\x7f\u2028", "a�b��"}, // NUL, DEL, line separator
		{"\xff", "�"},
	} {
		if got := printable(tc.in); got != tc.want {
			t.Errorf("printable(%q) is %q, want %q", tc.in, got, tc.want)
		}
	}
}

func TestSizesAndTimesInWords(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 12 << 10: "12 KiB", 5 << 20: "5.0 MiB", 3 << 30: "3.0 GiB",
	} {
		if got := bytesText(n); got != want {
			t.Errorf("bytesText(%d) is %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 59 * time.Second: "59 s", time.Minute: "1 min", 59*time.Minute + 59*time.Second: "59 min",
		time.Hour: "1 h", 90 * time.Minute: "1 h 30 min", 30 * time.Hour: "30 h", 72 * time.Hour: "3 days",
	} {
		if got := durationText(d); got != want {
			t.Errorf("durationText(%s) is %q, want %q", d, got, want)
		}
	}
	now := time.Date(2030, 5, 6, 12, 0, 0, 0, time.Local)
	for _, tc := range []struct {
		at   time.Time
		want string
	}{
		{now.Add(time.Minute), "12:01:00"},
		{now.Add(13 * time.Hour), "Tue 01:00"},
		{now.Add(-13 * time.Hour), "Sun 23:00"},
		{now.Add(10 * 24 * time.Hour), "2030-05-16 12:00"},
	} {
		if got := clock(tc.at, now); got != tc.want {
			t.Errorf("clock(%s) is %q, want %q", tc.at, got, tc.want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"json", "json", 0}, {"jsn", "json", 1}, {"jsonn", "json", 1}, {"joson", "json", 1}, {"", "abc", 3}, {"lane", "all", 3}} {
		if got := distance(tc.a, tc.b); got != tc.want {
			t.Errorf("distance(%q, %q) is %d, want %d", tc.a, tc.b, got, tc.want)
		}
	}
}
