package rewrite

import (
	"bufio"
	"bytes"
	"flag"
	"io"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/wellsent/wellsent/internal/smtp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// The files of testdata: "setup" says "alias ADDRESS" and "notification", "in" is
// the message; "out" the message as the mailbox relay@example.org sends it.
func TestHeader_Golden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			part := map[string]string{}
			for _, f := range ar.Files {
				part[f.Name] = string(f.Data)
			}
			rule := &Rule{Mailbox: "relay@example.org", From: true, Envelope: true}
			notification := false
			for line := range strings.Lines(part["setup"]) {
				key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
				switch key {
				case "alias":
					rule.Aliases = append(rule.Aliases, value)
				case "notification":
					notification = true
				}
			}
			in := strings.ReplaceAll(part["in"], "\n", "\r\n")
			r := bufio.NewReaderSize(strings.NewReader(in), 16)
			section, err := ReadSection(r)
			if err != nil {
				t.Fatal(err)
			}
			before := string(section)
			out, changed := rule.Header(section, notification)
			if string(section) != before {
				t.Error("the section was changed")
			}
			if changed == bytes.Equal(out, section) {
				t.Errorf("changed %v", changed)
			}
			if again, more := rule.Header(out, notification); more {
				t.Errorf("once more it becomes\n%s", again)
			}
			rest, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			whole := string(out) + string(rest)
			for line := range strings.Lines(whole) {
				if !strings.HasSuffix(line, "\r\n") || len(line) > 1000 {
					t.Errorf("a bad line: %q", line)
				}
			}
			got := strings.ReplaceAll(whole, "\r\n", "\n")
			if *update {
				files := ar.Files[:0]
				for _, f := range ar.Files {
					if f.Name != "out" {
						files = append(files, f)
					}
				}
				ar.Files = append(files, txtar.File{Name: "out", Data: []byte(got)})
				if err := os.WriteFile(path, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(part["out"], got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestReversePath(t *testing.T) {
	r := &Rule{Mailbox: "relay@example.org", Aliases: []string{"scan@example.org", "*@shop.example"}, Envelope: true}
	for _, c := range []struct{ from, want smtp.Path }{
		{"ann@lan", "relay@example.org"},
		{"", "relay@example.org"},
		{"Relay@Example.ORG", "Relay@Example.ORG"},
		{"relay+x@example.org", "relay@example.org"},
		{"SCAN@example.org", "SCAN@example.org"},
		{"any@shop.example", "any@shop.example"},
		{"any@www.shop.example", "relay@example.org"},
	} {
		if got := r.ReversePath(c.from); got != c.want {
			t.Errorf("%q: %q, want %q", c.from, got, c.want)
		}
	}
	if got := (&Rule{Mailbox: "relay@example.org", From: true}).ReversePath("ann@lan"); got != "ann@lan" {
		t.Errorf("without Envelope: %q", got)
	}
}

func TestReadSection_HugeHeaderIsBounded(t *testing.T) {
	in := strings.Repeat("X: "+strings.Repeat("y", 900)+"\r\n", 2*MaxSection/900)
	section, err := ReadSection(bufio.NewReader(strings.NewReader(in)))
	if err != nil || len(section) < MaxSection || len(section) > MaxSection+64<<10 {
		t.Errorf("%d, %v", len(section), err)
	}
}

func FuzzHeader(f *testing.F) {
	f.Add([]byte("From: Grüße <a@b>\r\n c\r\nSender: x\r\n\r\n"))
	f.Add([]byte("From: a, b@c, \"d\" <e@f>\r\nFrom: =?utf-8?q?=0d=0a?= <x@y>\r\nReply-To:\r\n\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		in = bytes.ReplaceAll(bytes.ReplaceAll(in, []byte("\r"), nil), []byte("\n"), []byte("\r\n"))
		rule := &Rule{Mailbox: "relay@example.org", From: true}
		section, err := ReadSection(bufio.NewReader(bytes.NewReader(in)))
		if err != nil {
			t.Fatal(err)
		}
		out, _ := rule.Header(section, false)
		fields, _ := split(out)
		n := 0
		for i := range fields {
			if !fields[i].is("From") {
				continue
			}
			n++
			a, err := mail.ParseAddress(fields[i].unfolded())
			if err != nil || !strings.EqualFold(a.Address, "relay@example.org") {
				t.Fatalf("From is %q: %v", fields[i].raw, err)
			}
		}
		if n != 1 {
			t.Fatalf("%d From fields in %q", n, out)
		}
	})
}
