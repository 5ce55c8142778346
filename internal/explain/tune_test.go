package explain

import (
	"bufio"
	"encoding/json"
	"math/rand"
	"os"
	"slices"
	"testing"
)

func SkipTune(t *testing.T) {
	var all []labelled
	for _, p := range []string{"/work/shared/corpus/replies.jsonl", "/tmp/ex/known.jsonl", "/tmp/ex/known2.jsonl"} {
		f, _ := os.Open(p)
		s := bufio.NewScanner(f)
		s.Buffer(nil, 1<<20)
		for s.Scan() {
			var l labelled
			json.Unmarshal(s.Bytes(), &l)
			all = append(all, l)
		}
	}
	wrong := func() int {
		n := 0
		for i := range all {
			l := &all[i]
			x := Text(l.Text, Facts{Stage: l.Stage})[0].Cause
			if x != l.Cause {
				n++
				if !slices.Contains(l.Alternatives, x) {
					n += 2
				}
			}
		}
		return n
	}
	ps := []*int{&replyBonus, &signBonus, &agreedBonus, &guessMalus, &keyBonus, &weakMalus, &byProvider, &bySoftware, &byLibrary, &byLanguage, &byFamilies}
	best := wrong()
	t.Log(best)
	r := rand.New(rand.NewSource(1))
	for n := 0; n < 120; n++ {
		i := r.Intn(len(ps))
		old := *ps[i]
		*ps[i] += r.Intn(17) - 8
		if w := wrong(); w <= best {
			if w < best {
				t.Log(w, i, *ps[i])
			}
			best = w
		} else {
			*ps[i] = old
		}
	}
	for i := range ps {
		t.Log(i, *ps[i])
	}
}
