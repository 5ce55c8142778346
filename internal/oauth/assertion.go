package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // #nosec: x5t is defined with it, as a name and not for its strength. RFC 7515 §4.1.7
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// assertionLife is how long a signed assertion holds. Google's may not hold
// longer than an hour; none is used for more than a moment.
const assertionLife = 10 * time.Minute

// signer is a key that signs assertions.
type signer struct {
	key     any
	alg     jose.SignatureAlgorithm
	headers map[jose.HeaderKey]any
}

// sign returns the claims as a signed JWT, issued at now. RFC 7523 §3.
func (s *signer) sign(claims map[string]any, now time.Time) (string, error) {
	claims["iat"] = now.Unix()
	claims["nbf"] = now.Unix()
	claims["exp"] = now.Add(assertionLife).Unix()
	claims["jti"] = rand.Text()
	o := (&jose.SignerOptions{ExtraHeaders: s.headers}).WithType("JWT")
	sg, err := jose.NewSigner(jose.SigningKey{Algorithm: s.alg, Key: s.key}, o)
	if err != nil {
		return "", fmt.Errorf("sign an assertion: %w", err)
	}
	out, err := jwt.Signed(sg).Claims(claims).Serialize()
	if err != nil {
		return "", fmt.Errorf("sign an assertion: %w", err)
	}
	return out, nil
}

// certificateSigner returns the signer of the key and certificate in the
// settings. Entra ID finds the key by the certificate's digest; others by key id.
func certificateSigner(s *Settings) (*signer, error) {
	b, err := os.ReadFile(s.KeyFile)
	if err != nil {
		return nil, err
	}
	key, err := parseKey(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.KeyFile, err)
	}
	out := &signer{key: key, headers: map[jose.HeaderKey]any{}}
	if out.alg, err = algorithm(key, s.Provider); err != nil {
		return nil, fmt.Errorf("%s: %w", s.KeyFile, err)
	}
	if s.KeyID != "" {
		out.headers["kid"] = s.KeyID
	}
	if s.CertificateFile != "" {
		cert, err := readCertificate(s.CertificateFile)
		if err != nil {
			return nil, err
		}
		if pub, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); ok && !pub.Equal(public(key)) {
			return nil, fmt.Errorf("%s is not the key of the certificate in %s", s.KeyFile, s.CertificateFile)
		}
		long := sha256.Sum256(cert.Raw)
		out.headers["x5t#S256"] = base64.RawURLEncoding.EncodeToString(long[:])
		if out.alg == jose.RS256 {
			short := sha1.Sum(cert.Raw)
			out.headers["x5t"] = base64.RawURLEncoding.EncodeToString(short[:])
		}
	}
	return out, nil
}

func public(key any) crypto.PublicKey {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return k.Public()
	case *ecdsa.PrivateKey:
		return k.Public()
	case ed25519.PrivateKey:
		return k.Public()
	}
	return nil
}

// algorithm returns how key signs. Entra ID wants PSS with the SHA-256 digest of
// the certificate; RS256 is what everybody else has.
func algorithm(key any, p Provider) (jose.SignatureAlgorithm, error) {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if p == Microsoft {
			return jose.PS256, nil
		}
		return jose.RS256, nil
	case *ecdsa.PrivateKey:
		switch k.Curve.Params().BitSize {
		case 256:
			return jose.ES256, nil
		case 384:
			return jose.ES384, nil
		case 521:
			return jose.ES512, nil
		}
	case ed25519.PrivateKey:
		return jose.EdDSA, nil
	}
	return "", errors.New("a key of this kind cannot sign assertions: use RSA or ECDSA")
}

// parseKey reads a private key in PEM.
func parseKey(data []byte) (any, error) {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return nil, errors.New("there is no private key in PEM form in it")
		}
		switch block.Type {
		case "PRIVATE KEY":
			return x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			return x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			return x509.ParseECPrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			return nil, errors.New("the key is encrypted: take the password off, for the server cannot be asked for it")
		}
	}
}

// readCertificate reads the first certificate of a file in PEM.
func readCertificate(path string) (*x509.Certificate, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return nil, fmt.Errorf("%s holds no certificate in PEM form", path)
		}
		if block.Type == "CERTIFICATE" {
			return x509.ParseCertificate(block.Bytes)
		}
	}
}

// CertificateEnd returns when the first certificate of a file in PEM expires.
func CertificateEnd(path string) (time.Time, error) {
	c, err := readCertificate(path)
	if err != nil {
		return time.Time{}, err
	}
	return c.NotAfter, nil
}

// serviceAccount is the file that Google hands out.
type serviceAccount struct {
	Type     string `json:"type"`
	Email    string `json:"client_email"`
	ClientID string `json:"client_id"`
	Key      string `json:"private_key"`
	KeyID    string `json:"private_key_id"`
	TokenURL string `json:"token_uri"`
}

// readServiceAccount reads the file and its key.
func readServiceAccount(path string) (*serviceAccount, *signer, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	var a serviceAccount
	if err := json.Unmarshal(b, &a); err != nil {
		return nil, nil, fmt.Errorf("%s is no JSON file of a service account: %w", path, err)
	}
	switch {
	case a.Type != "" && a.Type != "service_account":
		return nil, nil, fmt.Errorf("%s is of type %q, and a service account's is wanted: in the console, Service Accounts, Keys, Add key, JSON", path, a.Type)
	case a.Email == "" || a.Key == "":
		return nil, nil, fmt.Errorf("%s holds no client_email or no private_key", path)
	}
	if a.TokenURL != "" {
		if err := checkURL(a.TokenURL); err != nil {
			return nil, nil, fmt.Errorf("%s: token_uri: %w", path, err)
		}
	}
	key, err := parseKey([]byte(a.Key))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: private_key: %w", path, err)
	}
	alg, err := algorithm(key, Google)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: private_key: %w", path, err)
	}
	return &a, &signer{key: key, alg: alg, headers: map[jose.HeaderKey]any{"kid": a.KeyID}}, nil
}

// CheckFiles reads the secrets of s and returns what is wrong with them.
func (s *Settings) CheckFiles() []Mistake {
	var all []Mistake
	if s.SecretFile != "" {
		if _, err := readSecret(s.SecretFile); err != nil {
			all = append(all, Mistake{"client_secret_file", err.Error()})
		}
	}
	if s.KeyFile != "" {
		if _, err := certificateSigner(s); err != nil {
			all = append(all, Mistake{"key_file", err.Error()})
		}
	}
	if s.ServiceAccountFile != "" {
		if _, _, err := readServiceAccount(s.ServiceAccountFile); err != nil {
			all = append(all, Mistake{"service_account_file", err.Error()})
		}
	}
	return all
}
