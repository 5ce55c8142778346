package smtp

import "testing"

func TestAddBrackets(t *testing.T) {
	for _, c := range []struct {
		in, want string
		changed  bool
	}{
		{"FROM:<a@b>", "FROM:<a@b>", false},
		{"from: <a@b> SIZE=1", "from: <a@b> SIZE=1", false},
		{"FROM:a@b", "FROM:<a@b>", true},
		{"FROM: a@b SIZE=1 BODY=8BITMIME", "FROM:<a@b> SIZE=1 BODY=8BITMIME", true},
		{"From a@b", "FROM:<a@b>", true},
		{"FROM <a@b> SIZE=1", "FROM:<a@b> SIZE=1", true},
		{"FROM:<a@b", "FROM:<a@b>", true},
		{"FROM:a@b>", "FROM:<a@b>", true},
		{`FROM:"Scanner" <a@b> SIZE=1`, "FROM:<a@b> SIZE=1", true},
		{"FROM:", "FROM:<>", true},
		{"FROM:<>", "FROM:<>", false},
		{"TO:a@b", "TO:a@b", false},
		{"", "", false},
	} {
		if got, changed := AddBrackets(c.in, "FROM:"); got != c.want || changed != c.changed {
			t.Errorf("%q: %q %v, want %q %v", c.in, got, changed, c.want, c.changed)
		}
	}
}
