package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/explain"
)

// lineIn is one line that explain --jsonl reads.
type lineIn struct {
	ID    json.RawMessage `json:"id"`
	Stage evidence.Stage  `json:"stage"`
	Text  *string         `json:"text"`
}

// lineOut is the line that answers it.
type lineOut struct {
	ID           json.RawMessage    `json:"id"`
	Cause        cause.ID           `json:"cause"`
	Confidence   explain.Confidence `json:"confidence"`
	Alternatives []cause.ID         `json:"alternatives"`
	Actor        cause.Actor        `json:"actor"`
	Retry        cause.Retry        `json:"retry"`
	Error        string             `json:"error,omitempty"` // why the line could not be read
}

// explainLines answers each line of the input with one line, in order, each
// written out before the next is read. A line that cannot be read is answered
// too, so that lines in and lines out stay side by side.
func (a *app) explainLines(how explainOptions) error {
	from, done, err := a.linesToExplain(how)
	if err != nil {
		return err
	}
	defer done()
	in := bufio.NewReaderSize(from, 64<<10)
	unnamed, unread, number := false, 0, 0
	for {
		line, err := readLine(in, maxExplain)
		if errors.Is(err, io.EOF) {
			break
		}
		number++
		var out lineOut
		switch {
		case err == nil:
			out = explainLine(line)
		case errors.Is(err, errLongLine):
			out = unreadable(err)
		default:
			return fmt.Errorf("read line %d: %w", number, err)
		}
		unnamed = unnamed || out.Cause == ""
		if out.Error != "" {
			unread++
			fmt.Fprintf(a.stderr, "wellsent: line %d: %s\n", number, out.Error)
		}
		b, err := marshal(out)
		if err != nil {
			return err
		}
		if _, err := a.stdout.Write(append(b, '\n')); err != nil {
			return err
		}
	}
	switch {
	case unread > 0:
		return usageError("%s could not be read", count(unread, "line", "lines"))
	case unnamed:
		return didNot()
	}
	return nil
}

// linesToExplain returns the input of --jsonl and --follow, and what closes it.
func (a *app) linesToExplain(how explainOptions) (io.Reader, func(), error) {
	if how.file == "" || how.file == "-" {
		return a.stdin, func() {}, nil
	}
	f, err := openText(how.file)
	if err != nil {
		return nil, nil, err
	}
	return f, func() { f.Close() }, nil
}

// explainLine answers one line.
func explainLine(line []byte) lineOut {
	var in lineIn
	if err := json.Unmarshal(line, &in); err != nil {
		return unreadable(errors.New("not a JSON object with a text"))
	}
	var bad error
	switch {
	case in.Text == nil:
		bad = errors.New(`there is no "text"`)
	case in.Stage != "" && !slices.Contains(stages, in.Stage):
		bad = fmt.Errorf("no stage is called %q", printable(string(in.Stage)))
	}
	out := unreadable(bad)
	if bad == nil {
		f := tell(*in.Text, explain.Facts{Stage: in.Stage})[0]
		out = lineOut{Cause: f.Cause, Confidence: f.Confidence, Alternatives: f.Alternatives, Actor: f.Actor, Retry: f.Retry}
		if f.Cause == "" {
			out.Confidence, out.Actor, out.Retry = "", "", ""
		}
	}
	out.ID = in.ID
	if len(out.ID) == 0 {
		out.ID = json.RawMessage("null")
	}
	return out
}

// unreadable returns the answer to a line that err makes useless.
func unreadable(err error) lineOut {
	out := lineOut{ID: json.RawMessage("null"), Alternatives: []cause.ID{}}
	if err != nil {
		out.Error = err.Error()
	}
	return out
}

var errLongLine = errors.New("longer than 10 MiB")

// readLine reads one line without its end. A line of more than max octets is read
// to its end and is errLongLine. At the end of the input it returns io.EOF.
func readLine(r *bufio.Reader, max int) ([]byte, error) {
	var line []byte
	long := false
	for {
		part, err := r.ReadSlice('\n')
		switch long = long || len(line)+len(part) > max; {
		case long:
			line = nil
		default:
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && (long || len(line) > 0):
			err = nil // the last line has no end
		}
		if err == nil && long {
			err = errLongLine
		}
		return line, err
	}
}
