package smtp

import (
	"bytes"
	"io"
)

var (
	finalDot     = []byte(".\r\n")
	lineEndDot   = []byte("\r\n.\r\n")
	dot          = []byte{'.'}
	afterLineEnd = []byte("\n.")
)

// DotWriter writes message data as it follows DATA: a dot is added before each
// dot that begins a line. It does not touch line ends. RFC 5321 §4.5.2.
type DotWriter struct {
	w    io.Writer
	last [2]byte // the last octets written; zero at the begin
	any  bool    // something was written
}

// NewDotWriter returns a writer to w, which should be buffered.
func NewDotWriter(w io.Writer) *DotWriter { return &DotWriter{w: w} }

// Write writes content. The error is that of the underlying writer.
func (d *DotWriter) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	total := len(p)
	if p[0] == '.' && (!d.any || d.last[1] == '\n') {
		if _, err := d.w.Write(dot); err != nil {
			return 0, err
		}
	}
	d.remember(p)
	for done := 0; ; {
		i := bytes.Index(p, afterLineEnd)
		if i < 0 {
			n, err := d.w.Write(p)
			return done + n, err
		}
		if _, err := d.w.Write(p[:i+1]); err != nil {
			return done, err
		}
		if _, err := d.w.Write(dot); err != nil {
			return done, err
		}
		p = p[i+1:]
		done = total - len(p)
	}
}

// remember keeps the last two octets.
func (d *DotWriter) remember(p []byte) {
	d.any = true
	if len(p) == 1 {
		d.last[0], d.last[1] = d.last[1], p[0]
		return
	}
	d.last[0], d.last[1] = p[len(p)-2], p[len(p)-1]
}

// Close writes the final dot, with a line end before it where the content has
// none. It does not flush or close the underlying writer.
func (d *DotWriter) Close() error {
	end := finalDot
	if d.any && d.last != [2]byte{'\r', '\n'} {
		end = lineEndDot
	}
	_, err := d.w.Write(end)
	return err
}
