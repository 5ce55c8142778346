package cli

import (
	"bufio"
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
