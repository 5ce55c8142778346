package explain

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
)

// labelled is one reply of a corpus with the answers that are right.
type labelled struct {
	ID           int            `json:"id"`
	Stage        evidence.Stage `json:"stage"`
	Text         string         `json:"text"`
	Cause        cause.ID       `json:"cause"`
	Alternatives []cause.ID     `json:"alternatives"`
	Retry        cause.Retry    `json:"retry"`
	Actor        cause.Actor    `json:"actor"`
}

// TestText_Corpus measures the classifier on the labelled replies that the
// environment variable WELLSENT_CORPUS names.
func TestText_Corpus(t *testing.T) {
	path := os.Getenv("WELLSENT_CORPUS")
	if path == "" {
		t.Skip("WELLSENT_CORPUS names no corpus")
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 10<<20)
	var right, retry, all int
	for s.Scan() {
		var l labelled
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		all++
		x := Text(l.Text, Facts{Stage: l.Stage})[0]
		if x.Cause == l.Cause || slices.Contains(l.Alternatives, x.Cause) {
			right++
		} else if testing.Verbose() {
			t.Logf("%d %s: %s, want %s: %.150q", l.ID, l.Stage, x.Cause, l.Cause, l.Text)
		}
		if x.Retry == l.Retry {
			retry++
		}
	}
	t.Logf("cause right for %d of %d, retry for %d", right, all, retry)
	if right*100 < all*65 {
		t.Errorf("fewer than 65 %% are right")
	}
}
