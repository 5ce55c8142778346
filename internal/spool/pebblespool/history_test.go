package pebblespool_test

import (
	"flag"
	"os"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/wellsent/wellsent/internal/spool"
	"github.com/wellsent/wellsent/internal/spool/memspool"
	"github.com/wellsent/wellsent/internal/spool/pebblespool"
	"github.com/wellsent/wellsent/internal/spool/spooltest"
)

// smallDisk makes small memtables, which are quick to open, and never is full.
var smallDisk = vfs.DiskUsage{TotalBytes: 32 << 20, AvailBytes: 1 << 40}

// TestMain bounds the random histories to what fits into every run of the tests;
// -rapid.checks asks for more.
func TestMain(m *testing.M) {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "rapid.checks" })
	if !asked {
		flag.Set("rapid.checks", "20")
	}
	os.Exit(m.Run())
}

// A failure prints the history and the flag that repeats it.
func TestHistory_EqualsTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fs := vfs.NewMem()
		fs.TestingSetDiskUsage(smallDisk)
		open := func() *pebblespool.Store {
			s, err := pebblespool.Open("spool", pebblespool.Options{FS: fs})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		model, store := memspool.New(memspool.Options{}), open()
		defer func() { store.Close() }()
		spooltest.History(t, model, store, func() spool.Store {
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
			model.Restart()
			store = open()
			return store
		})
	})
}
