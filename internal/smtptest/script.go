package smtptest

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// verb is what one step does.
type verb uint8

const (
	client    verb = iota // C: or C>, the client says
	server                // S: or S>, the server says
	handshake             // T:
	closing               // X:
	closed                // E:
)

// step is one line of a script.
type step struct {
	line int // in the text, from 1
	verb verb
	text string // what is said, with its CRLF; a prefix of it when rest is set
	rest bool   // any rest of the line matches; only for what is expected
}

// Script is a dialogue. It does not change after Parse.
type Script struct {
	name  string
	steps []step
}

// Load reads and parses the file at path; the test ends when it cannot.
func Load(t testing.TB, path string) *Script {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Parse(string(b))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	s.name = path
	return s
}

// Parse parses a script. The error names the line that cannot be read.
func Parse(text string) (*Script, error) {
	s := &Script{name: "script"}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		st, err := parseStep(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		st.line = i + 1
		s.steps = append(s.steps, st)
	}
	return s, nil
}

func parseStep(line string) (step, error) {
	if len(line) < 2 {
		return step{}, fmt.Errorf("%q is no step", line)
	}
	mark, text := line[:2], strings.TrimPrefix(line[2:], " ")
	switch mark {
	case "C:":
		return said(client, text), nil
	case "S:":
		return said(server, text), nil
	case "C>", "S>":
		octets, err := strconv.Unquote(text)
		if err != nil || octets == "" {
			return step{}, fmt.Errorf("%s is not a string in quotation marks with something in it", text)
		}
		if mark == "C>" {
			return step{verb: client, text: octets}, nil
		}
		return step{verb: server, text: octets}, nil
	}
	if text != "" {
		return step{}, fmt.Errorf("%q is no step", line)
	}
	switch mark {
	case "T:":
		return step{verb: handshake}, nil
	case "X:":
		return step{verb: closing}, nil
	case "E:":
		return step{verb: closed}, nil
	}
	return step{}, fmt.Errorf("%q is no step", line)
}

// said returns the step of one line. A line of three dots alone is content, and
// so is a dotted line that is said; only who expects it reads "..." as any rest.
func said(v verb, text string) step {
	if prefix, ok := strings.CutSuffix(text, "..."); ok && strings.Trim(text, ".") != "" {
		return step{verb: v, text: strings.TrimSuffix(prefix, " "), rest: true}
	}
	return step{verb: v, text: text + "\r\n"}
}

// spoken returns the octets of a step for the side that says it.
func (s step) spoken() string {
	if s.rest {
		return s.text + " ...\r\n" // written so by somebody who plays the other side as well
	}
	return s.text
}
