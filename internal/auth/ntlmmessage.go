package auth

import (
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf16"
)

// What an NTLM message begins with. MS-NLMP §2.2.1.
const ntlmSignature = "NTLMSSP\x00"

// The types of message.
const (
	ntlmNegotiate    = 1
	ntlmChallengeTag = 2
	ntlmAuthTag      = 3
)

// The flags that matter to us. MS-NLMP §2.2.2.5.
const (
	ntlmUnicode       uint32 = 1 << 0
	ntlmOEM           uint32 = 1 << 1
	ntlmRequestTarget uint32 = 1 << 2
	ntlmNTLM          uint32 = 1 << 9
	ntlmAlwaysSign    uint32 = 1 << 15
	ntlmTargetServer  uint32 = 1 << 17
	ntlmExtended      uint32 = 1 << 19 // extended session security
	ntlmTargetInfo    uint32 = 1 << 23
	ntlm128           uint32 = 1 << 29
	ntlm56            uint32 = 1 << 31
)

// The pieces of an NTLMv2 response: the proof, and the least that its blob has
// before the target information. MS-NLMP §2.2.2.7, §2.2.2.8.
const (
	ntProofLength = 16
	ntBlobHead    = 28
)

// The kinds of target information. MS-NLMP §2.2.2.1.
const (
	avEnd         = 0
	avComputer    = 1 // NetBIOS
	avDomain      = 2 // NetBIOS
	avDNSComputer = 3
	avDNSDomain   = 4
)

var errNotNTLM = errors.New("not the NTLM message that is due")

// parseNegotiate reads the flags of a NEGOTIATE_MESSAGE. MS-NLMP §2.2.1.1.
func parseNegotiate(b []byte) (flags uint32, err error) {
	if len(b) < 16 || string(b[:8]) != ntlmSignature || binary.LittleEndian.Uint32(b[8:]) != ntlmNegotiate {
		return 0, errNotNTLM
	}
	return binary.LittleEndian.Uint32(b[12:]), nil
}

// ntlmChallenge is a CHALLENGE_MESSAGE. MS-NLMP §2.2.1.2.
type ntlmChallenge struct {
	flags  uint32 // what the client offers; encode makes it what is agreed
	nonce  [8]byte
	target string // our host name
}

// encode settles the flags and returns the message. There is no time in its target
// information: a client that is told the time must sign its message by a key that
// serves for nothing here.
func (c *ntlmChallenge) encode() []byte {
	agreed := ntlmRequestTarget | ntlmNTLM | ntlmTargetServer | ntlmTargetInfo | c.flags&(ntlmAlwaysSign|ntlmExtended|ntlm128|ntlm56)
	if c.flags&ntlmUnicode != 0 {
		agreed |= ntlmUnicode
	} else {
		agreed |= ntlmOEM
	}
	c.flags = agreed
	host, domain, _ := strings.Cut(c.target, ".")
	if domain == "" {
		domain = host
	}
	name := []byte(netBIOS(host))
	if agreed&ntlmUnicode != 0 {
		name = utf16le(netBIOS(host))
	}
	var info []byte
	for _, p := range []struct {
		id   uint16
		text string
	}{{avDomain, netBIOS(host)}, {avComputer, netBIOS(host)}, {avDNSDomain, domain}, {avDNSComputer, c.target}} {
		value := utf16le(p.text)
		info = binary.LittleEndian.AppendUint16(info, p.id)
		info = binary.LittleEndian.AppendUint16(info, uint16(len(value)))
		info = append(info, value...)
	}
	info = append(info, avEnd, 0, 0, 0)

	const head = 48
	b := append([]byte(ntlmSignature), ntlmChallengeTag, 0, 0, 0)
	b = appendField(b, len(name), head)
	b = binary.LittleEndian.AppendUint32(b, agreed)
	b = append(b, c.nonce[:]...)
	b = append(b, make([]byte, 8)...)
	b = appendField(b, len(info), head+len(name))
	return append(append(b, name...), info...)
}

// netBIOS returns a host name as NetBIOS has it: 15 capitals at most.
func netBIOS(host string) string {
	host = strings.ToUpper(host)
	return host[:min(len(host), 15)]
}

func appendField(b []byte, length, offset int) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(length))
	b = binary.LittleEndian.AppendUint16(b, uint16(length))
	return binary.LittleEndian.AppendUint32(b, uint32(offset))
}

// ntlmAuthenticate is what we take of an AUTHENTICATE_MESSAGE. MS-NLMP §2.2.1.3.
type ntlmAuthenticate struct {
	domain, user string
	lm, nt       []byte // LmChallengeResponse, NtChallengeResponse
	flags        uint32 // what was agreed
}

// parseAuthenticate reads the client's last message; flags are those of our
// challenge.
func parseAuthenticate(b []byte, flags uint32) (m ntlmAuthenticate, err error) {
	if len(b) < 52 || string(b[:8]) != ntlmSignature || binary.LittleEndian.Uint32(b[8:]) != ntlmAuthTag {
		return m, errNotNTLM
	}
	var domain, user []byte
	for _, f := range []struct {
		at   int
		into *[]byte
	}{{12, &m.lm}, {20, &m.nt}, {28, &domain}, {36, &user}} {
		length, offset := int(binary.LittleEndian.Uint16(b[f.at:])), binary.LittleEndian.Uint32(b[f.at+4:])
		if length == 0 {
			continue
		}
		if uint64(offset)+uint64(length) > uint64(len(b)) {
			return m, errNotNTLM
		}
		*f.into = b[offset : int(offset)+length]
	}
	if len(b) >= 64 { // the flags of the client, where it sends them
		if own := binary.LittleEndian.Uint32(b[60:]); own&(ntlmUnicode|ntlmOEM) != 0 {
			flags = own
		}
	}
	text := func(b []byte) string {
		if flags&ntlmUnicode == 0 {
			return string(b)
		}
		units := make([]uint16, len(b)/2)
		for i := range units {
			units[i] = binary.LittleEndian.Uint16(b[2*i:])
		}
		return string(utf16.Decode(units))
	}
	m.flags, m.domain, m.user = flags, text(domain), text(user)
	return m, nil
}
