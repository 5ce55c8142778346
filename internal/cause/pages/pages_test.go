package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/wellsent/wellsent/internal/cause"
)

const dir = "../../../docs/causes"

func TestPages_AreAsNewAsTheCatalogue(t *testing.T) {
	want := pages()
	for name, text := range want {
		b, err := os.ReadFile(filepath.Join(dir, name))
		switch {
		case err != nil:
			t.Errorf("%v: run make docs", err)
		case string(b) != text:
			t.Errorf("docs/causes/%s is stale: run make docs", name)
		}
	}
	found, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		if _, ok := want[filepath.Base(path)]; !ok {
			t.Errorf("%s is the page of no cause: run make docs", path)
		}
	}
}

func TestPages_LinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)]*)\)`)
	all := pages()
	for name, text := range all {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if _, ok := all[m[1]]; !ok && !strings.HasPrefix(m[1], "https://www.rfc-editor.org/rfc/rfc") {
				t.Errorf("%s leads to %s", name, m[1])
			}
		}
	}
}

func TestIndex_HasEachCauseOnce(t *testing.T) {
	text := index()
	for _, c := range cause.All() {
		if n := strings.Count(text, "("+fileOf(c.ID)+")"); n != 1 {
			t.Errorf("%s stands in the index %d times", c.ID, n)
		}
	}
}

func TestWrite_ReplacesAndRemoves(t *testing.T) {
	d := t.TempDir()
	gone := filepath.Join(d, "net.gone.md")
	if err := os.WriteFile(gone, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := write(d); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(gone); !os.IsNotExist(err) {
		t.Errorf("the page of a cause that is gone stays: %v", err)
	}
	b, err := os.ReadFile(filepath.Join(d, "auth.required.md"))
	if err != nil || string(b) != pages()["auth.required.md"] {
		t.Errorf("a page is not written: %v", err)
	}
}

func TestProse_OrdersOfMarkdownStandForThemselves(t *testing.T) {
	for in, want := range map[string]string{
		"a * b_c <d> [e]": `a \* b\_c \<d> \[e\]`,
		"run `a*b_c` now": "run `a*b_c` now",
	} {
		if got := prose(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func TestReference_LinksToTheSection(t *testing.T) {
	for in, want := range map[string]string{
		"RFC 4954, section 6, reply 535": "[RFC 4954, section 6](https://www.rfc-editor.org/rfc/rfc4954#section-6), reply 535",
		"RFC 1035, Domain Names":         "[RFC 1035](https://www.rfc-editor.org/rfc/rfc1035), Domain Names",
		"Google: Help <https://x.test/>": "Google: Help <https://x.test/>",
	} {
		if got := reference(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}
