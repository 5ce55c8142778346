package pebblespool_test

import (
	"testing"

	"github.com/wellsent/wellsent/internal/spool"
	"github.com/wellsent/wellsent/internal/spool/pebblespool"
	"github.com/wellsent/wellsent/internal/spool/spooltest"
)

func TestContract(t *testing.T) {
	spooltest.Run(t, true, func(t testing.TB) spooltest.Open {
		dir := t.TempDir()
		return func(t testing.TB, w spool.Watcher) spool.Store {
			s, err := pebblespool.Open(dir, pebblespool.Options{Watch: w, MinFree: 1})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
	})
}
