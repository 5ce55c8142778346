package cli

import (
	"os"
	"path/filepath"
)

// stateDir returns the directory that is kept between runs, "" where there is no
// place for one: then nothing is kept. It need not exist yet.
func (a *app) stateDir() string {
	if a.state != "" {
		return a.state
	}
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "wellsent")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".local", "state", "wellsent")
}
