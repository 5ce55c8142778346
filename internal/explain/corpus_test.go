package explain

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
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
	Source       string         `json:"source"`
	Stage        evidence.Stage `json:"stage"`
	Text         string         `json:"text"`
	Cause        cause.ID       `json:"cause"`
	Alternatives []cause.ID     `json:"alternatives"`
	Retry        cause.Retry    `json:"retry"` // "": not labelled
	Actor        cause.Actor    `json:"actor"` // "": not labelled
}

// judgement is what is said of a labelled text, and whether that is right.
type judgement struct {
	*labelled
	got                        Finding
	cause, first, retry, actor bool
}

// judgeAll says what it thinks of a corpus.
func judgeAll(all []labelled) []judgement {
	out := make([]judgement, 0, len(all))
	for i := range all {
		l := &all[i]
		x := Text(l.Text, Facts{Stage: l.Stage})[0]
		j := judgement{labelled: l, got: x, first: x.Cause == l.Cause}
		j.cause = j.first || slices.Contains(l.Alternatives, x.Cause)
		j.retry = l.Retry == "" || x.Retry == l.Retry
		j.actor = l.Actor == "" || x.Actor == l.Actor
		out = append(out, j)
	}
	return out
}

// score counts what was right of a part of a corpus.
type score struct{ all, cause, first, retry, actor int }

func (s *score) add(j *judgement) {
	s.all++
	for _, x := range []struct {
		to *int
		ok bool
	}{{&s.cause, j.cause}, {&s.first, j.first}, {&s.retry, j.retry}, {&s.actor, j.actor}} {
		if x.ok {
			*x.to++
		}
	}
}

func (s *score) percent(n int) float64 { return 100 * float64(n) / float64(max(s.all, 1)) }

// corpus reads a corpus, one JSON object a line.
func corpus(t *testing.T, path string) []labelled {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []labelled
	s := bufio.NewScanner(f)
	s.Buffer(nil, 10<<20)
	for s.Scan() {
		var l labelled
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, l)
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// corpora returns the corpora kept with the code, and that which WELLSENT_CORPUS
// names, if it does.
func corpora(t *testing.T) map[string][]labelled {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if path := os.Getenv("WELLSENT_CORPUS"); path != "" {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("WELLSENT_CORPUS names %s, which is not there", path)
		}
		paths = append(paths, path)
	}
	all := map[string][]labelled{}
	for _, p := range paths {
		all[filepath.Base(p)] = corpus(t, p)
	}
	return all
}

// TestText_Corpora holds that nearly all labelled texts are understood.
// WELLSENT_CORPUS_SHOW=1 shows those that are not.
func TestText_Corpora(t *testing.T) {
	for name, all := range corpora(t) {
		var s score
		for _, j := range judgeAll(all) {
			s.add(&j)
			if os.Getenv("WELLSENT_CORPUS_SHOW") == "1" && !(j.cause && j.retry && j.actor) {
				t.Logf("%d %s: %s %s %s %s, want %s %s %s: %.400q", j.ID, j.Stage, j.got.Cause, j.got.Confidence, j.got.Retry, j.got.Actor, j.Cause, j.Retry, j.labelled.Actor, j.Text)
			}
		}
		t.Logf("%s: %d texts, cause right %.1f %% (the very one %.1f %%), retry %.1f %%, actor %.1f %%", name, s.all, s.percent(s.cause), s.percent(s.first), s.percent(s.retry), s.percent(s.actor))
		if s.percent(s.cause) < 97 || s.percent(s.retry) < 98 || s.percent(s.actor) < 98 {
			t.Errorf("%s: too few are right", name)
		}
	}
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
