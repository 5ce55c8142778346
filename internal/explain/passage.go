package explain

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"

	"github.com/wellsent/wellsent/internal/smtp"
)

// maxPassage bounds a passage, in octets. What a server says is shorter.
const maxPassage = 64 << 10

// passage is a piece of text that is judged as a whole: the reply of a server, or
// all that was pasted.
type passage struct {
	shown    string // as it is shown in proof
	all      string // in lower case, on one line, mail addresses taken out
	seen     sighting
	address  bool // a mail address stands in it
	leads    bool // it begins with a reply
	reply    smtp.Reply
	enhanced [][2]int // subject and detail of the enhanced status codes in it
}

var (
	anAddress = regexp.MustCompile(`[a-z0-9._%+/='*~!#$&-]+@[a-z0-9-]+(\.[a-z0-9-]+)+`)
	aHost     = regexp.MustCompile(`\b[a-z0-9_-]+(?:\.[a-z0-9_-]+)+\.[a-z]{2,}\b`)
	aURL      = regexp.MustCompile(`(?:https?://|www\.)[^\s<>"')\]]+`)
	// aPrefix is what stands at the beginning of each line of a reply.
	aPrefix   = regexp.MustCompile(`[2-5]\d\d[- ]#?[245]\.\d{1,3}\.\d{1,3}(?: |$)|\b[45]\d\d-`)
	aLeading  = regexp.MustCompile(`^\W*[45][0-7]\d(?:[ -]\D|$|[ -]\d\.)`)
	aDecoded  = regexp.MustCompile(`\b334 ([A-Za-z0-9+/=]{16,})`)
	anEscaped = strings.NewReplacer(`\r\n`, " ", `\n`, " ", "\u2019", "'", "\u2018", "'", "\u201c", `"`, "\u201d", `"`)
)

// newPassage reads s.
func newPassage(s string) *passage {
	if len(s) > maxPassage {
		s = s[:maxPassage]
	}
	p := &passage{shown: s}
	p.reply, p.enhanced = codes(s)
	// A reply to XOAUTH2 hides its reason in base64; RFC 7628 §3.2.3.
	if m := aDecoded.FindStringSubmatch(s); m != nil {
		if b, err := base64.StdEncoding.DecodeString(m[1]); err == nil {
			s += " " + string(b)
		}
	}
	flat := strings.Join(strings.Fields(anEscaped.Replace(lower(s))), " ")
	p.all = withoutPrefixes(flat)
	if strings.IndexByte(p.all, '@') >= 0 {
		whole := len(p.all)
		p.all = anAddress.ReplaceAllString(p.all, "@")
		p.address = len(p.all) != whole
	}
	p.leads = p.reply.Code != 0 && aLeading.MatchString(s)
	var urls [][]int
	if strings.Contains(p.all, "://") || strings.Contains(p.all, "www.") {
		urls = aURL.FindAllStringIndex(p.all, -1) // a vague word in one says nothing
	}
	if strings.IndexByte(p.all, '.') >= 0 {
		urls = append(urls, aHost.FindAllStringIndex(p.all, -1)...)
		slices.SortFunc(urls, func(a, b []int) int { return a[0] - b[0] })
	}
	p.seen = compiled().lits.find(p.all, urls)
	return p
}

// lower returns s in lower case, ASCII and the usual letters of Europe alike.
func lower(s string) string { return strings.ToValidUTF8(strings.ToLower(s), "?") }

// withoutPrefixes takes the codes out that begin the second and further lines of
// a reply, so that a phrase broken across lines is whole again.
func withoutPrefixes(flat string) string {
	at := aPrefix.FindAllStringIndex(flat, 64)
	if len(at) < 2 {
		return flat
	}
	var b strings.Builder
	from := 0
	if at[0][0] == 0 {
		from = at[0][1]
		b.WriteString(flat[:from])
		at = at[1:]
	}
	for _, x := range at {
		b.WriteString(flat[from:x[0]])
		from = x[1]
	}
	return b.String() + flat[from:]
}

// hasEnhanced reports whether an enhanced status code with that subject and
// detail stands in p.
func (p *passage) hasEnhanced(subject, detail int) bool {
	for _, e := range p.enhanced {
		if e == [2]int{subject, detail} {
			return true
		}
	}
	return false
}
