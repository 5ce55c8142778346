package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadLine_BoundsAndKeepsInStep(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     []string
	}{
		{"nothing", "", nil},
		{"lines", "one\ntwo\n", []string{"one\n", "two\n"}},
		{"no end on the last", "one\ntwo", []string{"one\n", "two"}},
		{"empty lines", "\n\n", []string{"\n", "\n"}},
		{"as long as allowed", strings.Repeat("x", 99) + "\n", []string{strings.Repeat("x", 99) + "\n"}},
		{"too long, then one", strings.Repeat("x", 100) + "\nok\n", []string{"(long)", "ok\n"}},
		{"far too long, then one", strings.Repeat("x", 10_000) + "\nok\n", []string{"(long)", "ok\n"}},
		{"too long at the end", strings.Repeat("x", 500), []string{"(long)"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := bufio.NewReaderSize(strings.NewReader(tc.in), 16)
			var got []string
			for {
				line, err := readLine(r, 100)
				if errors.Is(err, io.EOF) {
					break
				}
				switch {
				case errors.Is(err, errLongLine):
					got = append(got, "(long)")
				case err != nil:
					t.Fatal(err)
				default:
					got = append(got, string(line))
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// FuzzExplainLine: whatever a line holds, its answer is one line of JSON with all
// keys and no null but the id.
func FuzzExplainLine(f *testing.F) {
	for _, s := range []string{`{"id": 7, "stage": "auth", "text": "535 5.7.8 no"}`, `{"id": {"a": [1]}, "text": ""}`, `null`, `[]`, ``, "\xff",
		`{"text": "550 \u0000\u001b[2J"}`, `{"id": "\ud800", "text": "451 4.7.1 greylisted", "more": 1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		b, err := marshal(explainLine(line))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		var out map[string]json.RawMessage
		if err := json.Unmarshal(b, &out); err != nil || bytes.ContainsRune(b, '\n') {
			t.Fatalf("%q is answered by %s: %v", line, b, err)
		}
		for _, key := range []string{"id", "cause", "confidence", "alternatives", "actor", "retry"} {
			if v := string(out[key]); v == "" || key != "id" && v == "null" {
				t.Errorf("%q: %s is %q in %s", line, key, v, b)
			}
		}
	})
}
