package auth

import (
	"strings"
	"testing"
)

// cheap is a cost for tests that are not about the cost.
var cheap = Cost{MemoryKiB: 64, Passes: 1, Lanes: 1}

// reference is a hash of the reference implementation's own tests: "password".
const reference = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"

func TestMatches_ReferenceImplementation(t *testing.T) {
	h, err := parsePHC(reference)
	if err != nil {
		t.Fatal(err)
	}
	if !h.matches("password") {
		t.Error("the right password does not match")
	}
	if h.matches("differentpassword") {
		t.Error("another password matches")
	}
	if got := h.String(); got != reference {
		t.Errorf("formatted again: %s", got)
	}
}

func TestHashPassword_RoundTrip(t *testing.T) {
	for _, password := range []string{"a", "correct horse battery staple", "pässwörd", " leading and trailing ", strings.Repeat("x", maxPassword)} {
		hash, err := HashPassword(password, cheap)
		if err != nil {
			t.Fatalf("%q: %v", password, err)
		}
		h, err := parsePHC(hash)
		if err != nil {
			t.Fatalf("%s: %v", hash, err)
		}
		if !h.matches(password) || h.matches(password+"x") || h.matches("") {
			t.Errorf("%q does not match its own hash, or another does", password)
		}
	}
	one, _ := HashPassword("same", cheap)
	two, _ := HashPassword("same", cheap)
	if one == two {
		t.Error("two hashes of one password have the same salt")
	}
}

func TestHashPassword_DefaultCostIsInTheHash(t *testing.T) {
	hash, err := HashPassword("secret", DefaultCost)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=65536,t=3,p=1$") {
		t.Errorf("got %s", hash)
	}
}

func TestCheckPassword(t *testing.T) {
	for _, c := range []struct {
		password string
		good     bool
	}{
		{"secret", true},
		{"with blank", true},
		{"", false},
		{"line\nend", false},
		{"nul\x00", false},
		{strings.Repeat("x", maxPassword+1), false},
	} {
		if err := CheckPassword(c.password); (err == nil) != c.good {
			t.Errorf("%q: %v", c.password, err)
		}
	}
}

func TestParsePHC(t *testing.T) {
	const salt, key = "c29tZXNhbHQ", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for _, c := range []struct {
		name string
		hash string
		want string // part of the error; "" for a good one
	}{
		{"reference", reference, ""},
		{"parameters in another order", "$argon2id$v=19$p=1,t=2,m=65536$" + salt + "$" + key, ""},
		{"empty", "", "not an argon2id hash"},
		{"clear text", "secret", "not an argon2id hash"},
		{"bcrypt", "$2y$10$abcdefghijklmnopqrstuv", "not an argon2id hash"},
		{"argon2i", "$argon2i$v=19$m=65536,t=2,p=1$" + salt + "$" + key, "not an argon2id hash"},
		{"old version", "$argon2id$v=16$m=65536,t=2,p=1$" + salt + "$" + key, "version"},
		{"a terabyte of memory", "$argon2id$v=19$m=1073741824,t=2,p=1$" + salt + "$" + key, "m=1073741824 is outside"},
		{"memory below RFC 9106", "$argon2id$v=19$m=7,t=2,p=1$" + salt + "$" + key, "m=7 is outside"},
		{"no memory", "$argon2id$v=19$t=2,p=1$" + salt + "$" + key, "m=0 is outside"},
		{"a year of passes", "$argon2id$v=19$m=65536,t=4294967295,p=1$" + salt + "$" + key, "t=4294967295 is outside"},
		{"no passes", "$argon2id$v=19$m=65536,t=0,p=1$" + salt + "$" + key, "t=0 is outside"},
		{"lanes that overflow a byte", "$argon2id$v=19$m=65536,t=2,p=257$" + salt + "$" + key, "p=257 is outside"},
		{"number that overflows", "$argon2id$v=19$m=99999999999,t=2,p=1$" + salt + "$" + key, "not a number"},
		{"unknown parameter", "$argon2id$v=19$m=65536,t=2,p=1,x=1$" + salt + "$" + key, "not known"},
		{"short salt", "$argon2id$v=19$m=65536,t=2,p=1$c2E$" + key, "salt"},
		{"padded salt", "$argon2id$v=19$m=65536,t=2,p=1$" + salt + "==$" + key, "salt"},
		{"short key", "$argon2id$v=19$m=65536,t=2,p=1$" + salt + "$CTFh", "hash itself"},
		{"key that is no base64", "$argon2id$v=19$m=65536,t=2,p=1$" + salt + "$" + strings.Repeat("!", 43), "hash itself"},
		{"something behind", reference + "$x", "not an argon2id hash"},
	} {
		err := CheckHash(c.hash)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, want …%s…", c.name, err, c.want)
		}
	}
}

// FuzzParsePHC: no panic, bounded cost, and what is formatted is read as the same.
func FuzzParsePHC(f *testing.F) {
	f.Add(reference)
	f.Add("$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parsePHC(s)
		if err != nil {
			return
		}
		if h.cost.MemoryKiB > maxMemoryKiB || h.cost.Passes > maxPasses || h.cost.Lanes > maxLanes {
			t.Fatalf("cost %+v", h.cost)
		}
		again, err := parsePHC(h.String())
		if err != nil || again.String() != h.String() {
			t.Fatalf("%s → %s: %v", s, h, err)
		}
	})
}
