package explain

import (
	"encoding/csv"
	"encoding/json"
	"regexp"
	"strings"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
)

// maxLines bounds the lines of a log that are looked at.
const maxLines = 20000

// maxFindings bounds the recipients that one text tells of.
const maxFindings = 1000

// told is what a log or a bounce says of one recipient.
type told struct {
	recipient string
	said      string         // the words that count
	stage     evidence.Stage // "": not known
	cause     cause.ID       // what the log says itself; ours alone do
	done      bool           // it was delivered after all
}

// logged returns what a log tells, one entry a recipient, the last word about each;
// nil for anything that is no log of several lines or of our own.
func logged(text string) []told {
	if !strings.Contains(text, "queue_id") && !strings.Contains(text, "status=") && !strings.Contains(text, "=> ") && !strings.Contains(text, "== ") &&
		!strings.Contains(text, "** ") && !strings.Contains(text, "recipient-address") {
		return nil
	}
	if t := tracked(text); t != nil {
		return t
	}
	var all []told
	last := map[string]int{}
	lines, read, ours := 0, 0, false
	for rest := text; rest != "" && lines < maxLines; {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		lines++
		t, own, ok := logLine(line)
		if !ok {
			continue
		}
		read++
		ours = ours || own
		key := strings.ToLower(t.recipient)
		if i, ok := last[key]; ok {
			all[i] = t
			continue
		}
		if len(all) == maxFindings {
			break
		}
		last[key] = len(all)
		all = append(all, t)
	}
	switch {
	case ours:
		return all
	case read < 2, 2*read < lines: // a line alone is judged as it is
		return nil
	}
	return all
}

var (
	aPostfixLine = regexp.MustCompile(`(?:^|\s)to=<?([^>,\s]+)>?,.*?\bstatus=([a-z-]+)\b\s*(.*)$`)
	anEximLine   = regexp.MustCompile(`(?:^|\s)(\*\*|==|=>|->|>>) (?:\S+ <)?([^\s<>]+@[^\s<>:]+)>?:? ?(.*)$`)
	aField       = regexp.MustCompile(`\b([a-z_]+)=("(?:[^"\\]|\\.)*"|\S*)`)
)

// logLine reads one line; own tells that it is one of ours.
func logLine(line string) (t told, own, ok bool) {
	if strings.Contains(line, "queue_id") {
		if t, ok := ourLine(line); ok {
			return t, true, true
		}
	}
	if m := aPostfixLine.FindStringSubmatch(line); m != nil {
		return told{recipient: m[1], said: line, done: m[2] == "sent" || m[2] == "delivered" || m[2] == "deliverable"}, false, true
	}
	if m := anEximLine.FindStringSubmatch(line); m != nil {
		return told{recipient: m[2], said: line, done: m[1] != "**" && m[1] != "=="}, false, true
	}
	return told{}, false, false
}

// ourLine reads a line of Wellsent's own log, as text or as JSON. Its cause is
// what was found out when it happened.
func ourLine(line string) (told, bool) {
	f := map[string]string{}
	if i := strings.IndexByte(line, '{'); i >= 0 && strings.Contains(line, `"queue_id"`) {
		var any map[string]any
		if json.Unmarshal([]byte(line[i:]), &any) == nil {
			for k, v := range any {
				f[k], _ = v.(string)
			}
		}
	} else {
		for _, m := range aField.FindAllStringSubmatch(line, 64) {
			v := m[2]
			if strings.HasPrefix(v, `"`) {
				if json.Unmarshal([]byte(v), &v) != nil {
					v = strings.Trim(v, `"`)
				}
			}
			if _, ok := f[m[1]]; !ok {
				f[m[1]] = v
			}
		}
	}
	if f["queue_id"] == "" || f["rcpt"] == "" {
		return told{}, false
	}
	t := told{recipient: f["rcpt"], stage: evidence.Stage(f["stage"]), cause: cause.ID(f["cause"])}
	for _, k := range []string{"reply", "detail", "error"} {
		if f[k] != "" {
			t.said = f[k]
			break
		}
	}
	t.done = f["msg"] == "delivered" || f["msg"] == "relayed"
	return t, true
}

// tracked reads the message tracking log of Exchange: CSV, with the names of its
// columns in a line that begins with #Fields or is the first.
func tracked(text string) []told {
	i := strings.Index(text, "recipient-address")
	if i < 0 || !strings.Contains(text, "event-id") {
		return nil
	}
	start := strings.LastIndexByte(text[:i], '\n') + 1
	end := len(text)
	if n := strings.IndexByte(text[i:], '\n'); n >= 0 {
		end = i + n
	}
	names := strings.Split(strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(text[start:end]), "#Fields:")), ",")
	column := map[string]int{}
	for i, n := range names {
		column[strings.Trim(strings.ToLower(strings.TrimSpace(n)), `"`)] = i
	}
	r := csv.NewReader(strings.NewReader(text[end:]))
	r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = -1, true, true
	var all []told
	last := map[string]int{}
	for n := 0; n < maxLines; n++ {
		row, err := r.Read()
		if err != nil {
			break
		}
		get := func(name string) string {
			if i, ok := column[name]; ok && i < len(row) {
				return row[i]
			}
			return ""
		}
		event := strings.ToUpper(get("event-id"))
		failed := event == "FAIL" || event == "DEFER" || event == "DSN" || event == "BADMAIL"
		if !failed && event != "DELIVER" && event != "SEND" {
			continue
		}
		statuses := splitQuoted(get("recipient-status"))
		for i, addr := range splitQuoted(get("recipient-address")) {
			t := told{recipient: addr, done: !failed}
			switch {
			case i < len(statuses):
				t.said = statuses[i]
			case len(statuses) > 0:
				t.said = statuses[0]
			}
			if t.said == "" {
				t.said = get("source-context")
			}
			t.said = strings.Trim(t.said, "{}[] ")
			key := strings.ToLower(addr)
			if at, ok := last[key]; ok {
				if t.said == "" {
					t.said = all[at].said
				}
				all[at] = t
			} else if addr != "" && len(all) < maxFindings {
				last[key] = len(all)
				all = append(all, t)
			}
		}
	}
	return all
}

// splitQuoted splits a list parted by semicolons outside of quotes and brackets.
func splitQuoted(s string) []string {
	var out []string
	depth, quoted, from := 0, false, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\'' || c == '"':
			quoted = !quoted
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		case c == ';' && depth <= 0 && !quoted && (i+1 == len(s) || s[i+1] != ' '):
			out = append(out, strings.Trim(s[from:i], `'" `))
			from = i + 1
		}
	}
	return append(out, strings.Trim(s[from:], `'" `))
}
