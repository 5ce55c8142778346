package cli

import (
	"encoding/json"
	"io"
)

// printJSON writes v as one indented JSON value and a line end.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.stdout)
	e.SetEscapeHTML(false) // the reader is a program or a person, not a browser
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// jsonList writes a JSON array value by value, each on a line of its own, without
// keeping the values: a queue may be long.
type jsonList struct {
	w     io.Writer
	begun bool
}

func (l *jsonList) add(v any) error {
	b, err := marshal(v)
	if err != nil {
		return err
	}
	lead := ",\n"
	if !l.begun {
		lead, l.begun = "[\n", true
	}
	_, err = io.WriteString(l.w, lead+string(b))
	return err
}

func (l *jsonList) end() error {
	tail := "\n]\n"
	if !l.begun {
		tail = "[]\n"
	}
	_, err := io.WriteString(l.w, tail)
	return err
}

// marshal returns v as compact JSON in one line, without a line end.
func marshal(v any) ([]byte, error) {
	var b lineBuffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return b[:len(b)-1], nil
}

type lineBuffer []byte

func (b *lineBuffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}

// list returns l, or an empty list for nil: JSON lists are [], never null.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
