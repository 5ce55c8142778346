package doctor

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Runs at the same time count each other's logins.
func TestHistory_ConcurrentRunsLoseNoCount(t *testing.T) {
	dir := t.TempDir()
	var runs sync.WaitGroup
	const n = 40
	for i := range n {
		runs.Go(func() {
			r := &run{q: &Question{Host: "mail.example.org", Port: 587, Password: "secret", State: dir}, f: &Facts{}}
			if done, why := r.budget(fmt.Sprintf("user%d", i)); done == nil {
				t.Errorf("withheld: %s", why)
			}
		})
	}
	runs.Wait()
	if h := readHistory(filepath.Join(dir, "logins.json"), time.Now()); len(h.Failed) != n {
		t.Errorf("%d logins are counted, want %d", len(h.Failed), n)
	}
}
