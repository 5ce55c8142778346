package cli

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var aConsole = regexp.MustCompile("(?s)```console\n\\$ (.*?)\n(.*?)```\n")

// What the documentation shows is what the program prints. -update writes it anew.
func TestDocs_ExamplesOfExplainAreReal(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	for _, name := range []string{"../../docs/explain.md", "../../README.md"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		renewed := aConsole.ReplaceAllStringFunc(text, func(block string) string {
			command := aConsole.FindStringSubmatch(block)[1]
			out, ok := runExplain(t, command)
			if !ok {
				return block
			}
			return "```console\n$ " + command + "\n" + out + "```\n"
		})
		if *update {
			if err := os.WriteFile(name, []byte(renewed), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if diff := cmp.Diff(text, renewed); diff != "" {
			t.Errorf("%s, -shown +printed (go test -run Docs ./internal/cli -update):\n%s", name, diff)
		}
	}
}

// runExplain runs wellsent explain with one quoted text, or with echo before it,
// and returns what it prints; ok is false for other commands.
func runExplain(t *testing.T, command string) (out string, ok bool) {
	t.Helper()
	stdin := ""
	if echoed, found := strings.CutPrefix(command, "echo '"); found {
		text, rest, found := strings.Cut(echoed, "' | ")
		if !found {
			return "", false
		}
		stdin, command = text+"\n", rest
	}
	rest, found := strings.CutPrefix(command, "wellsent explain ")
	if !found {
		return "", false
	}
	args := []string{"wellsent", "explain"}
	for rest != "" {
		if q := rest[0]; q == '\'' || q == '"' {
			text, after, _ := strings.Cut(rest[1:], string(q))
			args, rest = append(args, text), strings.TrimSpace(after)
		} else {
			word, after, _ := strings.Cut(rest, " ")
			args, rest = append(args, word), after
		}
	}
	var stdout, stderr bytes.Buffer
	if code := Main(args, strings.NewReader(stdin), &stdout, &stderr); code != exitOK {
		t.Errorf("%s exits with %d: %s", command, code, stderr.String())
	}
	return stdout.String(), true
}
