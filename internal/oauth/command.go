package oauth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// The bounds of a token command.
const (
	commandTimeout = 60 * time.Second
	commandGrace   = 2 * time.Second // for its children to let go of its output
	maxToken       = 64 << 10        // octets of output
)

// command runs the operator's program through the shell, as every mail program
// with such a setting does, and takes its standard output for the token, or for
// JSON with access_token and expires_in. What it should know of the route is in
// its environment: WELLSENT_ROUTE, WELLSENT_USER, WELLSENT_AUDIENCE.
func (c *client) command(ctx context.Context, a Audience) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", c.s.Command)
	cmd.WaitDelay = commandGrace
	cmd.Env = append(cmd.Environ(), "WELLSENT_ROUTE="+c.s.Route, "WELLSENT_USER="+c.s.User, "WELLSENT_AUDIENCE="+string(a))
	out, said := &bounded{max: maxToken}, &bounded{max: maxWords}
	cmd.Stdout, cmd.Stderr = out, said
	err := cmd.Run()
	text := strings.TrimSpace(out.String())
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, &Error{Temporary: true, Words: fmt.Sprintf("the token command did not end within %s", commandTimeout)}
	case errors.As(err, &exit):
		// sysexits(3): 75 is a temporary failure. Others are taken for lasting.
		return nil, &Error{Temporary: exit.ExitCode() == 75, Words: fmt.Sprintf("the token command ended with %s%s", exit, after(clean(said.String(), words(text)...)))}
	case err != nil && !errors.Is(err, exec.ErrWaitDelay): // it ended well; a child of it has kept its output open
		return nil, &Error{Err: fmt.Errorf("the token command: %w", err)}
	case out.more:
		return nil, &Error{Words: fmt.Sprintf("the token command printed more than %d octets", maxToken)}
	}
	ans := &answer{received: c.now()}
	if strings.HasPrefix(text, "{") {
		if err := json.Unmarshal([]byte(text), ans); err != nil || ans.Access == "" {
			return nil, &Error{Words: "the token command printed JSON without access_token"}
		}
		return ans, nil
	}
	if text == "" || strings.ContainsAny(text, " \t\r\n\x00\x01") {
		return nil, &Error{Words: "the token command must print a token and nothing else, or JSON with access_token and expires_in" + after(clean(said.String(), words(text)...))}
	}
	ans.Access = text
	if claims, err := ReadClaims(text); err == nil && !claims.Expires.IsZero() && claims.Expires.After(ans.received) {
		ans.ExpiresIn = seconds(claims.Expires.Sub(ans.received) / time.Second)
	}
	return ans, nil
}

// words returns the parts of a command's output, any of which may be a token.
func words(s string) []string { return strings.Fields(s) }

func after(said string) string {
	if said == "" {
		return ""
	}
	return ": " + said
}

// bounded keeps the first octets of what is written to it. The buffer is a field, as
// its ReadFrom would know no bound.
type bounded struct {
	kept bytes.Buffer
	max  int
	more bool
}

// String returns what was kept.
func (b *bounded) String() string { return b.kept.String() }

// Write keeps what fits and takes the rest.
func (b *bounded) Write(p []byte) (int, error) {
	n := len(p)
	if room := b.max - b.kept.Len(); len(p) > room {
		p, b.more = p[:room], true
	}
	b.kept.Write(p)
	return n, nil
}
