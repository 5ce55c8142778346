package house

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const (
	module   = "github.com/wellsent/wellsent/"
	root     = "../.."
	maxLines = 600
)

// levels is the order of imports, lowest first: a package may import those of
// the levels before its own. A new package takes its place here first.
var levels = [][]string{
	{"smtp", "cause", "osfile"},
	{"evidence", "cause/pages"},
	{"dsn", "resolver", "provider", "proxy", "proxyprotocol", "clienthello"},
	{"explain", "certificate", "smtptest", "smtpclient", "listen", "oauth"},
	{"spool", "policy", "auth", "route", "autoconfig", "device", "gateway", "allowance"},
	{"spool/pebblespool", "spool/memspool", "spool/spooltest", "oauth/oauthtest"},
	{"auth/ldapauth", "auth/oidcauth", "auth/upstreamauth"},
	{"submission", "smtpserver", "lab", "rewrite"},
	{"deliver/api", "deliver/apitest"},
	{"deliver/graph", "deliver/gmail"},
	{"deliver", "doctor"},
	{"dispatch"},
	{"worry"},
	{"httpapi", "webui", "config"},
	{"daemon"},
	{"demo"},
	{"cli"},
}

func TestHouse_ImportsPointOneWay(t *testing.T) {
	level := map[string]int{}
	for i, names := range levels {
		for _, n := range names {
			level[module+"internal/"+n] = i
		}
	}
	for _, f := range goFiles(t, "internal") {
		if strings.HasSuffix(f, "_test.go") {
			continue // tests may use what is below them and the test packages
		}
		pkg := module + path.Dir(f)
		own, ok := level[pkg]
		if !ok {
			t.Errorf("%s: package %s has no place in the list of levels", f, pkg)
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, f), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(imported, module) {
				continue
			}
			if l, ok := level[imported]; !ok || l >= own {
				t.Errorf("%s imports %s, which is not below it", f, imported)
			}
		}
	}
}

func TestHouse_EveryPackageIntroducesItself(t *testing.T) {
	introduced := map[string]bool{}
	for _, f := range goFiles(t, ".") {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		dir := path.Dir(f)
		introduced[dir] = introduced[dir] || false
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, f), nil, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			t.Fatal(err)
		}
		if documented(file) && (path.Base(f) == "doc.go" || file.Name.Name == "main") {
			introduced[dir] = true
		}
	}
	for dir, ok := range introduced {
		if !ok {
			t.Errorf("%s: no package comment in doc.go", dir)
		}
	}
}

func documented(f *ast.File) bool { return f.Doc != nil && len(f.Doc.Text()) > 0 }

func TestHouse_FilesTellOneThing(t *testing.T) {
	for _, f := range goFiles(t, ".") {
		b, err := os.ReadFile(filepath.Join(root, f))
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(b, []byte("\n")); n > maxLines && !strings.HasSuffix(f, "_test.go") {
			t.Errorf("%s has %d lines, more than %d: split it by subject", f, n, maxLines)
		}
	}
}

// goFiles returns the Go files below dir, relative to the root, without test data.
func goFiles(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := fs.WalkDir(os.DirFS(root), dir, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && p != "."):
			return fs.SkipDir
		case strings.HasSuffix(p, ".go"):
			files = append(files, p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
