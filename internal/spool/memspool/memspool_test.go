package memspool_test

import (
	"testing"

	"github.com/wellsent/wellsent/internal/spool"
	"github.com/wellsent/wellsent/internal/spool/memspool"
	"github.com/wellsent/wellsent/internal/spool/spooltest"
)

func TestContract(t *testing.T) {
	spooltest.Run(t, false, func(testing.TB) spooltest.Open {
		return func(_ testing.TB, w spool.Watcher) spool.Store {
			return memspool.New(memspool.Options{Watch: w})
		}
	})
}
