package explain

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
)

// labelled is one text of a corpus, with what is right to say of it.
type labelled struct {
	ID           int            `json:"id"`
	Stage        evidence.Stage `json:"stage"`
	Text         string         `json:"text"`
	Cause        cause.ID       `json:"cause"`
	Alternatives []cause.ID     `json:"alternatives"`
	Retry        cause.Retry    `json:"retry"`
	Actor        cause.Actor    `json:"actor"`
}

// score counts what was right of a part of a corpus.
type score struct{ all, cause, retry, first int }

func (s score) percent(n int) float64 { return 100 * float64(n) / float64(max(s.all, 1)) }

// heldBack reports whether an entry was kept out of sight while the rules were
// written; only such entries measure how they do on texts that nobody has seen.
func heldBack(l *labelled) bool { return l.ID%3 == 0 }

// measure runs the classifier over a corpus, one JSON object a line.
func measure(t *testing.T, path string) (seen, unseen score) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 10<<20)
	for s.Scan() {
		var l labelled
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		to := &seen
		if heldBack(&l) {
			to = &unseen
		}
		to.all++
		x := Text(l.Text, Facts{Stage: l.Stage})[0]
		if x.Cause == l.Cause {
			to.first++
		}
		right := x.Cause == l.Cause || slices.Contains(l.Alternatives, x.Cause)
		if right {
			to.cause++
		}
		if x.Retry == l.Retry {
			to.retry++
		}
		if os.Getenv("WELLSENT_CORPUS_SHOW") == "1" && (!right || l.Retry != "" && x.Retry != l.Retry) {
			t.Logf("%d %s: %s %s %s, want %s %s: %.400q", l.ID, l.Stage, x.Cause, x.Confidence, x.Retry, l.Cause, l.Retry, l.Text)
		}
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return seen, unseen
}

func (s score) check(t *testing.T, name string, floor float64) {
	t.Helper()
	t.Logf("%s: %d texts, cause right %.1f %% (the very one %.1f %%), retry right %.1f %%", name, s.all, s.percent(s.cause), s.percent(s.first), s.percent(s.retry))
	if s.all > 0 && s.percent(s.cause) < floor {
		t.Errorf("%s: fewer than %.0f %% are right", name, floor)
	}
}

// TestText_LabelledCorpus measures on the corpus that WELLSENT_CORPUS names.
func TestText_LabelledCorpus(t *testing.T) {
	path := os.Getenv("WELLSENT_CORPUS")
	if path == "" {
		t.Skip("WELLSENT_CORPUS names no corpus")
	}
	seen, unseen := measure(t, path)
	seen.check(t, "texts the rules were written by", 85)
	unseen.check(t, "texts held back", 80)
}

// TestText_OwnCorpus measures on the texts that are kept with the code.
func TestText_OwnCorpus(t *testing.T) {
	seen, unseen := measure(t, filepath.Join("testdata", "texts.jsonl"))
	all := score{seen.all + unseen.all, seen.cause + unseen.cause, seen.retry + unseen.retry, seen.first + unseen.first}
	all.check(t, "own texts", 95)
}

// TestText_Harmless holds that what is no failure of mail has no cause.
func TestText_Harmless(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "harmless.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		text := strings.NewReplacer(`\n`, "\n", `\t`, "\t").Replace(line)
		for _, x := range Text(text, Facts{}) {
			if x.Cause != "" {
				t.Errorf("%s (%s): %q", x.Cause, x.Confidence, text)
			}
		}
	}
}
