package smtpclient

import (
	"crypto/des" // #nosec: NTLMv1 is defined by it; MS-NLMP §3.3.1
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf16"

	"github.com/Azure/go-ntlmssp"
	"github.com/emersion/go-sasl"
	//lint:ignore SA1019 the NT hash is an MD4 digest, whatever is thought of MD4; MS-NLMP §3.3.1
	"golang.org/x/crypto/md4" // #nosec: as above
)

// ntlm is the client of NTLM. MS-SMTPNTLM. It answers by NTLMv2, or where the server
// can only do NTLMv1, by that: but under verified TLS alone, for whoever hears such
// an answer has the password's hash in a day.
type ntlm struct {
	user, password string
	verified       bool // the connection is under verified TLS
	steps          int
}

var errNTLMv1 = errors.New("the server asks for NTLMv1, which gives the password away where TLS is not verified")

// Start begins without an initial response, which Exchange's older versions do not
// take.
func (n *ntlm) Start() (string, []byte, error) { return "NTLM", nil, nil }

// Next begins, and answers the challenge.
func (n *ntlm) Next(challenge []byte) ([]byte, error) {
	n.steps++
	switch {
	case n.steps == 1: // whatever it says: "ntlm supported" is no base64
		return ntlmssp.NewNegotiateMessage("", "")
	case n.steps > 2:
		return nil, sasl.ErrUnexpectedServerChallenge
	case !version1(challenge):
		return ntlmssp.NewAuthenticateMessage(challenge, n.user, n.password, nil)
	case !n.verified:
		return nil, errNTLMv1
	}
	return n.answerV1(challenge), nil
}

// The parts of a CHALLENGE_MESSAGE that tell which version it wants. MS-NLMP
// §2.2.1.2, §2.2.2.5.
const (
	challengeFlags   = 20
	challengeNonce   = 24
	challengeMinimum = 32
	flagExtended     = 1 << 19 // extended session security
	flagTargetInfo   = 1 << 23
)

// version1 reports whether a challenge is of a server that knows only NTLMv1: it
// gives no target information, of which the answer by NTLMv2 is made.
func version1(challenge []byte) bool {
	if len(challenge) < challengeMinimum {
		return false // the library says what is wrong with it
	}
	return binary.LittleEndian.Uint32(challenge[challengeFlags:])&(flagTargetInfo|flagExtended) == 0
}

// answerV1 returns an AUTHENTICATE_MESSAGE with an NTLMv1 response. MS-NLMP §2.2.1.3,
// §3.3.1.
func (n *ntlm) answerV1(challenge []byte) []byte {
	response := ntlmv1Response(n.password, challenge[challengeNonce:challengeMinimum])
	domain, user, cut := strings.Cut(n.user, `\`)
	if !cut {
		domain, user = "", n.user
	}
	const head = 64
	message := append([]byte("NTLMSSP\x00"), 3, 0, 0, 0)
	var payload []byte
	for _, f := range [][]byte{response, response, utf16le(domain), utf16le(user), nil, nil} { // LM, NT, domain, user, workstation, key
		message = binary.LittleEndian.AppendUint16(message, uint16(len(f)))
		message = binary.LittleEndian.AppendUint16(message, uint16(len(f)))
		message = binary.LittleEndian.AppendUint32(message, uint32(head+len(payload)))
		payload = append(payload, f...)
	}
	message = append(message, challenge[challengeFlags:challengeFlags+4]...)
	return append(message, payload...)
}

// ntlmv1Response encrypts the challenge thrice by parts of the NT hash. MS-NLMP
// §3.3.1, DESL.
func ntlmv1Response(password string, nonce []byte) []byte {
	h := md4.New()
	h.Write(utf16le(password))
	hash := append(h.Sum(nil), make([]byte, 5)...) // to 21 octets
	response := make([]byte, 24)
	for i := range 3 {
		c, err := des.NewCipher(desKey(hash[7*i : 7*i+7]))
		if err != nil {
			panic(err) // the key has eight octets
		}
		c.Encrypt(response[8*i:], nonce)
	}
	return response
}

// desKey spreads seven octets over eight; the lowest bit of each is parity, which
// DES does not look at.
func desKey(b []byte) []byte {
	var bits uint64
	for _, x := range b {
		bits = bits<<8 | uint64(x)
	}
	key := make([]byte, 8)
	for i := range key {
		key[i] = byte(bits>>(56-7*(i+1))) & 0x7f << 1
	}
	return key
}

func utf16le(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}
