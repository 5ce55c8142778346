package auth

import (
	"context"
	"strings"
	"testing"
)

// FuzzExchange gives two messages of a client to each mechanism: whatever they are,
// nobody gets in, and nothing breaks.
func FuzzExchange(f *testing.F) {
	f.Add([]byte("n,,n=ann,r=abc"), []byte("c=biws,r=abc,p=AAAA"))
	f.Add([]byte("NTLMSSP\x00\x01\x00\x00\x00\x07\x82\x08\xa2"), []byte("NTLMSSP\x00\x03\x00\x00\x00"+strings.Repeat("\x18\x00", 40)))
	f.Add([]byte("user=ann\x01auth=Bearer x\x01\x01"), []byte("\x01"))
	f.Add([]byte("n,a=ann,\x01auth=Bearer x\x01\x01"), []byte{})
	f.Add([]byte{}, []byte("ann 00"))
	a, err := New(nil, nil)
	if err != nil {
		f.Fatal(err)
	}
	a.SetOutside(nil, verdicts{})
	f.Fuzz(func(t *testing.T, first, second []byte) {
		if strings.Contains(string(first)+string(second), "'s") {
			return // the tokens that verdicts takes
		}
		for _, m := range Mechanisms {
			x := a.Exchange(m, Peer{Hostname: "post.test", PlusOffered: true})
			if x == nil {
				continue
			}
			for _, message := range [][]byte{nil, first, second} {
				if m == CRAMMD5 && message != nil && len(message) == 0 {
					continue
				}
				_, account, err := x.Next(context.Background(), message)
				if account != nil {
					t.Fatalf("%s: %q, %q lets in", m, first, second)
				}
				if err != nil {
					break
				}
			}
			_ = x.User()
		}
	})
}
