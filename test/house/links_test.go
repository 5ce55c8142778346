package house

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	aLink    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	aHeading = regexp.MustCompile(`(?m)^#+ +(.*)$`)
	noAnchor = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// TestHouse_LinksLead: every relative link of the documentation leads to a file, and
// to a heading where it names one.
func TestHouse_LinksLead(t *testing.T) {
	pages := []string{"README.md", "CHANGELOG.md"}
	err := fs.WalkDir(os.DirFS(root), "docs", func(p string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(p, ".md") {
			pages = append(pages, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	read := func(page string) string {
		b, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, page := range pages {
		for _, m := range aLink.FindAllStringSubmatch(read(page), -1) {
			if strings.Contains(m[1], ":") {
				continue // of the web
			}
			file, heading, _ := strings.Cut(m[1], "#")
			to := page
			if file != "" {
				to = filepath.Join(filepath.Dir(page), file)
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s: %s leads nowhere", page, m[1])
			} else if heading != "" && !anchors(read(to))[heading] {
				t.Errorf("%s: %s has no such heading", page, m[1])
			}
		}
	}
}

// anchors returns the names that a page's headings have on GitHub.
func anchors(page string) map[string]bool {
	all := map[string]bool{}
	for _, m := range aHeading.FindAllStringSubmatch(page, -1) {
		all[strings.ReplaceAll(noAnchor.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")] = true
	}
	return all
}

// TestHouse_IndexHasEveryPage: a page that the index does not name is found by nobody.
func TestHouse_IndexHasEveryPage(t *testing.T) {
	index, err := os.ReadFile(filepath.Join(root, "docs", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatal(pages, err)
	}
	for _, p := range pages {
		if name := filepath.Base(p); name != "README.md" && !strings.Contains(string(index), "]("+name) {
			t.Errorf("docs/README.md does not name %s", name)
		}
	}
}
