package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/wellsent/wellsent/internal/auth"
	"github.com/wellsent/wellsent/internal/policy"
)

// users reads all [[user]] tables.
func (r *reader) users(t *table, c *Config) {
	seen := map[string]bool{}
	var places []place // of the names
	for i, s := range r.tablesOf(t, "user") {
		prefix := "user." + strconv.Itoa(i)
		name := r.text(s, prefix, "name", "")
		a := auth.Account{Name: name.text}
		switch err := auth.CheckName(name.text); {
		case s.find("name") == nil:
			r.wrong(s.at, "user.name", "is missing: give the name to log in with, such as ann@example.org")
		case name.origin == "":
		case err != nil:
			r.wrong(name.at, "user.name", "%v", err)
		case seen[auth.Canonical(name.text)]:
			r.wrong(name.at, "user.name", "%s is there twice: remove one; large and small letters are the same", name.text)
		}
		seen[auth.Canonical(name.text)] = true

		hash, ok := r.scalar(s, prefix, "password", kindString, "")
		switch {
		case s.find("password") == nil:
			r.wrong(s.at, "user.password", `is missing: have the account made by "wellsent user add", or paste its hash here`)
		case ok:
			if err := auth.CheckHash(hash.text); err != nil {
				r.wrong(hash.at, "user.password", "%v", err)
			}
			r.record(join(prefix, "password"), hidden, hash.origin)
			a.Hash = hash.text
		}
		if keys, ok := r.scalar(s, prefix, "scram_sha_256", kindString, ""); ok {
			if err := auth.CheckSCRAM(keys.text); err != nil {
				r.wrong(keys.at, "user.scram_sha_256", "%v", err)
			}
			r.record(join(prefix, "scram_sha_256"), hidden, keys.origin)
			a.SCRAM = keys.text
		}
		addresses, at := r.list(s, prefix, "addresses")
		for _, g := range addresses {
			if err := policy.CheckPattern(g.text); err != nil {
				r.wrong(g.at, "user.addresses", "%v", err)
				continue
			}
			a.Addresses = append(a.Addresses, g.text)
		}
		if s.find("addresses") == nil && name.text != "" {
			if policy.CheckPattern(name.text) != nil || !strings.Contains(name.text, "@") {
				r.wrong(at, "user.addresses", "is missing, and the name %q is not an address: say what the account may send as", name.text)
			} else {
				a.Addresses = []string{name.text}
				r.record(join(prefix, "addresses"), "["+quote(name.text)+"]", originDefault)
			}
		}
		r.rest(s, "user")
		c.Users = append(c.Users, a)
		places = append(places, name.at)
	}
	r.keptToo(c, places)
}

// keptToo notes accounts that are in the data directory's file as well. A file that
// this user may not read is left to the server, which may.
func (r *reader) keptToo(c *Config, places []place) {
	if info, err := os.Stat(c.Data); err != nil || !info.IsDir() {
		return // not made yet, or told elsewhere
	}
	file, err := auth.OpenFile(filepath.Join(c.Data, auth.FileName))
	if errors.Is(err, fs.ErrPermission) {
		return
	}
	var kept []auth.Account
	if err == nil {
		kept, err = file.List()
	}
	if err != nil {
		r.wrong(place{}, "", "%v", err)
		return
	}
	for _, k := range kept {
		for i, u := range c.Users {
			if auth.Canonical(k.Name) == auth.Canonical(u.Name) {
				r.wrong(places[i], "user.name", "%s is in %s too: remove one, for example with: wellsent user remove %s", u.Name, file.Path(), k.Name)
			}
		}
	}
}

// hidden stands for a secret in what is shown.
const hidden = "(hidden)"
