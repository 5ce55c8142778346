package explain

import (
	"regexp"
	"strings"
)

// aRecipientLine is a line that is a recipient's address and little else: qmail,
// Postfix and Courier write "<ann@example.org>:", Exim indents it, Exchange adds a
// link to it, OpenSMTPD goes on with the reason.
var aRecipientLine = regexp.MustCompile(`^[ \t]{0,8}(?:[^@<>:]{0,80}\()?(?:rfc822; ?)?<?([^\s<>()"',;:\[\]]{1,64}@[^\s<>()"',;:\[\]]+\.[^\s<>()"',;:\[\]]+)>?\)?(?:<mailto:[^<>]*>)?(?:[ \t]*$|:[ \t]*(.*)$| on (?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b.*$)`)

// maxSaid bounds what is said of one recipient, in octets.
const maxSaid = 8 << 10

// bySection parts the words of a bounce by recipient. Addresses that follow each
// other share what comes after the last of them; what is said of one in two places
// is put together.
func bySection(text string) []told {
	var all []told
	at := map[string]int{}
	var open []int // the recipients of whom the present lines tell
	spoken := false
	lines := 0
	for rest := text; rest != "" && lines < maxLines; lines++ {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		line = strings.TrimRight(line, " \t")
		if m := aRecipientLine.FindStringSubmatch(line); m != nil && !strings.HasPrefix(strings.TrimSpace(m[2]), "//") {
			if spoken {
				open, spoken = nil, false
			}
			key := strings.ToLower(m[1])
			i, ok := at[key]
			if !ok {
				if len(all) == maxFindings {
					return all
				}
				i = len(all)
				at[key] = i
				all = append(all, told{recipient: m[1]})
			}
			open = append(open, i)
			if m[2] == "" {
				continue
			}
			line = m[2]
		}
		if strings.HasPrefix(line, "---") || strings.HasPrefix(line, "Reporting-MTA:") || strings.HasPrefix(line, "   ----- Transcript") {
			open, spoken = nil, false
			continue
		}
		for _, i := range open {
			if strings.TrimSpace(line) != "" {
				spoken = true
			}
			if len(all[i].said) < maxSaid {
				all[i].said += line + "\n"
			}
		}
	}
	kept := all[:0]
	for _, t := range all {
		if strings.TrimSpace(t.said) != "" {
			kept = append(kept, t)
		}
	}
	return kept
}
