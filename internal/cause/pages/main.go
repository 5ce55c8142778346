// Command pages writes docs/causes from the catalogue of causes: a page for each
// cause and an index by family. `make docs` and `go generate ./internal/cause`
// run it; a test fails while the pages are older than the catalogue.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/wellsent/wellsent/internal/cause"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: pages DIR")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "pages:", err)
		os.Exit(1)
	}
}

// write writes all pages into dir and removes those of causes that are gone.
func write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	pages := pages()
	old, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if _, ok := pages[filepath.Base(path)]; !ok {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	for name, text := range pages {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// pages returns the text of each page by its file name.
func pages() map[string]string {
	all := map[string]string{"README.md": index()}
	for _, c := range cause.All() {
		all[fileOf(c.ID)] = page(c)
	}
	return all
}

// fileOf returns the name of the page of a cause.
func fileOf(id cause.ID) string { return string(id) + ".md" }

// note is the first line of each page; it is not shown.
const note = "<!-- Written by `make docs` from internal/cause/data; changes belong there. -->\n\n"

// families are the families in the order in which mail meets them, with their
// titles.
var families = [][2]string{
	{"client", "The program that sends"},
	{"dns", "Finding the outgoing server"},
	{"net", "Reaching the outgoing server"},
	{"service", "The wrong thing is listening"},
	{"tls", "Encryption"},
	{"auth", "Signing in"},
	{"account", "The account at the provider"},
	{"tenant", "The organisation at the provider"},
	{"sender", "Who the mail is from"},
	{"relay", "Passing mail on"},
	{"recipient", "The recipient's address and mailbox"},
	{"message", "The message itself"},
	{"policy", "Proof of the sender, and rules"},
	{"reputation", "How the sender is rated"},
	{"limit", "Limits"},
	{"greylist", "Put off on purpose"},
	{"delivery", "From server to server"},
	{"routing", "Ways through servers"},
	{"server", "The server that replied"},
	{"protocol", "The conversation between program and server"},
}

// index returns the page that leads to all others.
func index() string {
	var b strings.Builder
	b.WriteString(note)
	b.WriteString(`# Why mail does not go out

Each page is one cause: what it means, how it shows, who must act, and what to
do. To find yours, give the error to Wellsent, which names the cause:

    wellsent explain "535 5.7.8 Authentication credentials invalid"

or search these pages for the words of your error. The names (` + "`auth.required`" + `) never
change their meaning: scripts may rely on them.
`)
	byFamily := map[string][]*cause.Cause{}
	for _, c := range cause.All() {
		byFamily[c.ID.Family()] = append(byFamily[c.ID.Family()], c)
	}
	for _, f := range families {
		fmt.Fprintf(&b, "\n## %s\n\n| cause | | who acts | again |\n|---|---|---|---|\n", f[1])
		for _, c := range byFamily[f[0]] {
			fmt.Fprintf(&b, "| [%s](%s) | `%s` | %s | %s |\n", cell(c.Fill(cause.Facts{}).Title), fileOf(c.ID), c.ID, c.Actor, c.Retry)
		}
	}
	b.WriteString("\nWho acts: *user* is the person sending; *sender-admin* whoever runs the sending server, domain or account;\n" +
		"*network-admin* whoever runs the network or machine between; *provider* the operator of the server that replied;\n" +
		"*recipient* and *recipient-admin* the person written to and their administrator.\n")
	return b.String()
}
