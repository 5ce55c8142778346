package cli

import (
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// build is what is known of this program.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"` // "" when built outside a repository
	Time     string `json:"time"`   // of the commit, RFC 3339; "" if unknown
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// thisBuild reads the facts that the Go tool leaves in the program.
func thisBuild() build {
	b := build{Version: "devel", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.Version = v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, the commit and how it was built",
		Args:  args(noArgs),
		RunE: func(*cobra.Command, []string) error {
			b := thisBuild()
			if a.json {
				return a.printJSON(b)
			}
			p := a.page(a.stdout)
			p.line("wellsent ", b.Version)
			if b.Commit != "" {
				commit := b.Commit
				if b.Modified {
					commit += ", with changes"
				}
				p.field(0, "commit", commit)
			}
			p.field(0, "built", strings.Join([]string{"with", b.Go, "for", b.Platform}, " "))
			return p.err
		},
	}
}
