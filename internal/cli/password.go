package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/wellsent/wellsent/internal/auth"
)

const (
	maxPasswordFile = 64 << 10 // a password file that is larger is another file
	shortPassword   = 8        // characters; NIST SP 800-63B §3.1.1.2 asks for as many at least
)

// newPassword returns the password for an account: from file, "-" being standard
// input, or without one from the terminal. What cannot be a password is an error
// of usage. It is never printed.
func (a *app) newPassword(c *cobra.Command, name, file string) (string, error) {
	var password string
	var err error
	switch {
	case file == "-":
		password, err = readPassword(a.stdin, "standard input")
	case file != "":
		password, err = passwordFile(file)
	case terminal(a.stdin):
		password, err = a.askPassword(c.Context(), name)
	default:
		return "", wrongUse(c, "there is no terminal to ask for the password: give --password-file FILE, or - for standard input")
	}
	if err != nil {
		return "", err
	}
	if err := auth.CheckPassword(password); err != nil {
		return "", usageError("%s", err)
	}
	if n := utf8.RuneCountInString(password); n < shortPassword {
		fmt.Fprintf(a.stderr, "wellsent: the password has only %s and is easily guessed; take %d or more\n", count(n, "character", "characters"), shortPassword)
	}
	return password, nil
}

func passwordFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	defer f.Close()
	return readPassword(f, path)
}

// readPassword reads all of r and drops one line end at its end.
func readPassword(r io.Reader, from string) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxPasswordFile+1))
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	if len(b) > maxPasswordFile {
		return "", usageError("%s is larger than %s: it is no password file", printable(from), bytesText(maxPasswordFile))
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"), nil
}

// askPassword asks for a new password twice, without showing it.
func (a *app) askPassword(ctx context.Context, name string) (string, error) {
	first, err := a.askHidden(ctx, "Password for "+printable(name)+": ")
	if err != nil {
		return "", err
	}
	if first == "" {
		return "", usageError("no password was given")
	}
	second, err := a.askHidden(ctx, "Once more: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passwords differ: nothing was changed")
	}
	return first, nil
}

// askHidden asks for one line on the terminal without echo. An interrupt gives
// the terminal its echo back before it ends the process. An end of input is an
// empty line.
func (a *app) askHidden(ctx context.Context, prompt string) (string, error) {
	fd, _ := descriptor(a.stdin)
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("ask for the password: %w", err)
	}
	signals := make(chan os.Signal, 1) // the first signal is enough
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	answered, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case s := <-signals:
			_ = term.Restore(fd, before)
			signal.Reset(s)
			raise(s)
		case <-answered:
		case <-ctx.Done():
		}
	}()
	fmt.Fprint(a.stderr, prompt)
	b, err := term.ReadPassword(fd)
	fmt.Fprintln(a.stderr)
	signal.Stop(signals)
	close(answered)
	<-watched
	if errors.Is(err, io.EOF) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("ask for the password: %w", err)
	}
	return string(b), nil
}

// raise ends the process by s, as it would have ended without us.
func raise(s os.Signal) {
	if p, err := os.FindProcess(os.Getpid()); err == nil && p.Signal(s) == nil {
		return
	}
	os.Exit(exitNot) // no such signals here
}
