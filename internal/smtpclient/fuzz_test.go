package smtpclient

import "testing"

// FuzzChallenge gives a challenge to the mechanisms that read one.
func FuzzChallenge(f *testing.F) {
	f.Add([]byte("NTLMSSP\x00\x02\x00\x00\x00\x0c\x00\x0c\x000\x00\x00\x00\x01\x02\x81\x00\x01#Eg\x89\xab\xcd\xef"))
	f.Add([]byte("r=abc,s=AAAA,i=4096"))
	f.Fuzz(func(t *testing.T, challenge []byte) {
		n := &ntlm{user: "ann", password: "secret", verified: true}
		n.Next(nil)
		n.Next(challenge)
		if i, ok := iterations(string(challenge)); ok && i > 5000 {
			return // work, not trouble
		}
		for _, m := range scramMechanisms(Credentials{User: "ann", Password: "secret"}, nil, func(string) bool { return false }) {
			m.Start()
			m.Next(challenge)
		}
	})
}
