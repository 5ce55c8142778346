package explain

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"testing"
)

func TestNoStage(t *testing.T) {
	var n, r int
	for _, p := range []string{"/work/shared/corpus/replies.jsonl", "/tmp/ex/known.jsonl", "/tmp/ex/known2.jsonl"} {
		f, _ := os.Open(p)
		s := bufio.NewScanner(f)
		s.Buffer(nil, 1<<20)
		for s.Scan() {
			var l labelled
			json.Unmarshal(s.Bytes(), &l)
			x := Text(l.Text, Facts{})[0].Cause
			n++
			if x == l.Cause || slices.Contains(l.Alternatives, x) {
				r++
			} else {
				t.Logf("%s: %s want %s: %.200q", l.Stage, x, l.Cause, l.Text)
			}
		}
	}
	t.Log(r, n)
}
