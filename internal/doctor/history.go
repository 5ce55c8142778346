package doctor

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/osfile"
)

// The budget of failed logins beside maxLogins. Providers lock accounts for a
// quarter of an hour after a few.
const (
	maxFailures   = 4
	failureWindow = 15 * time.Minute
)

// history is the file that remembers failed logins between runs. It holds no
// password: who knows the file learns which hosts and users were tried, and with
// the salt can only check a guess.
type history struct {
	Version int         `json:"version"`
	Salt    string      `json:"salt"`
	Failed  []failedTry `json:"failed"`
}

// failedTry is one login that was refused.
type failedTry struct {
	At  time.Time `json:"at"`
	Key string    `json:"key"` // hash of salt, host, port, user and password
}

const historyVersion = 1

// budget asks whether one more login may be made. It returns what to call with
// how that ended, or why it may not.
func (r *run) budget(user string) (done func(*evidence.Error), why string) {
	return r.budgetAt(Endpoint{r.q.Host, r.q.Port}, user)
}

func (r *run) budgetAt(at Endpoint, user string) (done func(*evidence.Error), why string) {
	nothing := func(*evidence.Error) {}
	if r.q.State == "" {
		return nothing, ""
	}
	path := filepath.Join(r.q.State, "logins.json")
	defer lockHistory(path)()
	now := r.q.now() // under the lock: an earlier instant would make others' tries ones of the future, which are forgotten
	h := readHistory(path, now)
	secret := r.q.Password
	if secret == "" {
		secret = r.q.Token
	}
	key := h.key(at, user, secret)
	n, oldest := 0, now
	for _, t := range h.Failed {
		if t.Key == key {
			n++
			if t.At.Before(oldest) {
				oldest = t.At
			}
		}
	}
	if n >= maxFailures && !r.q.IgnoreHistory {
		wait := failureWindow - now.Sub(oldest)
		return nil, fmt.Sprintf("the login was not made again: it was refused %d times in the last %d minutes, and more tries may lock the account; wait %d minutes, or give --ignore-history",
			n, int(failureWindow.Minutes()), int(wait.Minutes())+1)
	}
	// Written before the login: a run that is killed in the middle has made it too.
	h.Failed = append(h.Failed, failedTry{At: now, Key: key})
	_ = h.write(path)
	return func(failure *evidence.Error) {
		if failure != nil && (failure.Origin != evidence.OriginLocal) {
			return
		}
		defer lockHistory(path)()
		h := readHistory(path, r.q.now())
		for i := len(h.Failed) - 1; i >= 0; i-- {
			if h.Failed[i].Key == key && h.Failed[i].At.Equal(now) {
				h.Failed = append(h.Failed[:i], h.Failed[i+1:]...)
				break
			}
		}
		_ = h.write(path)
	}, ""
}

// lockHistory keeps other runs from the file until what it returns is called: two
// that read and write it at once would count one login of theirs only. Where it
// cannot be locked, as on a file system without locks, the count is the best there is.
func lockHistory(path string) (unlock func()) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return func() {}
	}
	unlock, err := osfile.Lock(path + ".lock") // not the file itself, which is replaced
	if err != nil {
		return func() {}
	}
	return unlock
}

// readHistory reads the file and forgets what is old. Where there is none, or one
// that cannot be read, it begins a new one.
func readHistory(path string, now time.Time) *history {
	h := &history{}
	b, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(b, h) != nil || h.Version != historyVersion || h.Salt == "" {
		h = &history{Version: historyVersion, Salt: rand.Text()}
	}
	var recent []failedTry
	for _, t := range h.Failed {
		if age := now.Sub(t.At); age >= 0 && age < failureWindow {
			recent = append(recent, t)
		}
	}
	h.Failed = recent
	return h
}

func (h *history) key(at Endpoint, user, secret string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{h.Salt, strings.ToLower(at.String()), user, secret}, "\x00")))
	return hex.EncodeToString(sum[:])
}

// write replaces the file in one step.
func (h *history) write(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	b, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return osfile.Replace(path, b, 0o600)
}
