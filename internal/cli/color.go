package cli

import (
	"errors"
	"io"
	"os"

	"charm.land/lipgloss/v2"
	"golang.org/x/term"
)

// colorMode is the value of --color.
type colorMode string

// The values of --color. The zero value is auto.
const (
	colorAuto   colorMode = "auto"
	colorAlways colorMode = "always"
	colorNever  colorMode = "never"
)

// Set takes the value from the command line.
func (m *colorMode) Set(s string) error {
	switch colorMode(s) {
	case colorAuto, colorAlways, colorNever:
		*m = colorMode(s)
		return nil
	}
	return errors.New("it is auto, always or never")
}

// String returns the value.
func (m *colorMode) String() string {
	if *m == "" {
		return string(colorAuto)
	}
	return string(*m)
}

// Type names the value in the help text.
func (m *colorMode) Type() string { return "WHEN" }

// styled reports whether text written to w may be coloured.
func (a *app) styled(w io.Writer) bool {
	switch a.color {
	case colorAlways:
		return true
	case colorNever:
		return false
	}
	// https://no-color.org: present and not empty.
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && terminal(w)
}

// descriptor returns the file descriptor of a terminal and whether f is one. f is
// a reader or a writer.
func descriptor(f any) (int, bool) {
	file, ok := f.(*os.File)
	if !ok {
		return 0, false
	}
	fd := int(file.Fd())
	return fd, term.IsTerminal(fd)
}

// terminal reports whether f is a terminal.
func terminal(f any) bool {
	_, ok := descriptor(f)
	return ok
}

// look is the styles of the few kinds of text that stand out. Each is the
// identity where colour is off.
type look struct {
	strong  func(string) string // titles, names
	faint   func(string) string // what may be skipped
	bad     func(string) string // failed, paused
	warn    func(string) string // held, waiting
	good    func(string) string // it works
	isPlain bool
}

// look returns the styles for w. They use the terminal's own eight colours, which
// its owner has chosen to be readable.
func (a *app) look(w io.Writer) *look {
	if !a.styled(w) {
		same := func(s string) string { return s }
		return &look{strong: same, faint: same, bad: same, warn: same, good: same, isPlain: true}
	}
	style := func(s lipgloss.Style) func(string) string {
		return func(text string) string { return s.Render(text) }
	}
	plain := lipgloss.NewStyle()
	return &look{
		strong: style(plain.Bold(true)),
		faint:  style(plain.Faint(true)),
		bad:    style(plain.Bold(true).Foreground(lipgloss.Red)),
		warn:   style(plain.Foreground(lipgloss.Yellow)),
		good:   style(plain.Foreground(lipgloss.Green)),
	}
}
