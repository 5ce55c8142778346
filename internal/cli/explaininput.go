package cli

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode/utf16"

	"github.com/spf13/cobra"
)

// maxExplain bounds what is read to be explained. A bounce carries its report
// before the message it returns, so what lies beyond says nothing new.
const maxExplain = 10 << 20

// note writes a remark to standard error.
func (a *app) note(format string, args ...any) {
	fmt.Fprintf(a.stderr, "wellsent: "+format+"\n", args...)
}

// textToExplain returns the text that the command line names.
func (a *app) textToExplain(c *cobra.Command, how explainOptions) (string, error) {
	from, name := a.stdin, ""
	switch {
	case how.file != "" && how.file != "-":
		name = how.file
	case len(how.words) == 1 && isFile(how.words[0]):
		name = how.words[0]
		a.note("%s is a file: what is in it is explained, as with -f", printable(name))
	case len(how.words) > 0 && !(len(how.words) == 1 && how.words[0] == "-"):
		from = strings.NewReader(strings.Join(how.words, " "))
	case terminal(a.stdin):
		fmt.Fprintln(a.stderr, "Paste the error, the bounce or the log line, then press Ctrl-D on a line of its own:")
	}
	if name != "" {
		f, err := openText(name)
		if err != nil {
			return "", err
		}
		defer f.Close()
		from = f
	}
	b, err := io.ReadAll(io.LimitReader(from, maxExplain+1))
	if err != nil {
		return "", usageError("the text cannot be read: %v", err)
	}
	if len(b) > maxExplain {
		b = b[:maxExplain]
		a.note("only the first %s of the text are read", bytesText(maxExplain))
	}
	text, err := decodeText(b)
	if err != nil {
		return "", usageError("%v", err)
	}
	if strings.TrimSpace(text) == "" {
		return "", wrongUse(c, "there is nothing to explain: the text is empty")
	}
	return text, nil
}

// isFile reports whether a single word is not an error text but the name of a
// file, for whoever forgets -f.
func isFile(word string) bool {
	if len(word) > 4096 || strings.ContainsAny(word, "\n\x00") {
		return false
	}
	info, err := os.Stat(word)
	return err == nil && info.Mode().IsRegular()
}

// openText opens a file that the command line names.
func openText(name string) (*os.File, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usageError("there is no file %s", printable(name))
	}
	if err != nil {
		return nil, usageError("the file cannot be read: %v", err)
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		f.Close()
		return nil, usageError("%s is a directory; name a file in it", printable(name))
	}
	return f, nil
}

// magics are the beginnings of files that people take for a text, with what to do
// instead.
var magics = []struct{ begins, says string }{
	{"\xd0\xcf\x11\xe0", "this is a message in Outlook's own form (.msg): save it as text or .eml, or paste the error from it"},
	{"\x1f\x8b", "this is compressed: zcat FILE | wellsent explain"},
	{"\x28\xb5\x2f\xfd", "this is compressed: zstdcat FILE | wellsent explain"},
	{"\xfd7zXZ", "this is compressed: xzcat FILE | wellsent explain"},
	{"PK\x03\x04", "this is a zip archive or an Office document: take the text out of it first"},
	{"%PDF", "this is a PDF: copy the error out of it"},
	{"\x89PNG", "this is a picture: type the error's text"},
	{"\xff\xd8\xff", "this is a picture: type the error's text"},
}

// decodeText returns octets as text: UTF-8, or UTF-16 as Windows writes it. What
// is no text is errNoText.
func decodeText(b []byte) (string, error) {
	for _, m := range magics {
		if bytes.HasPrefix(b, []byte(m.begins)) {
			return "", fmt.Errorf("%w: %s", errNoText, m.says)
		}
	}
	switch {
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		return fromUTF16(b[2:], binary.LittleEndian), nil
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		return fromUTF16(b[2:], binary.BigEndian), nil
	}
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	// One octet in thirty that no text has is a binary file, fewer are an accident.
	strange := 0
	head := b[:min(len(b), 8<<10)]
	for _, c := range head {
		if c < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != 0x1b && c != '\f' {
			strange++
		}
	}
	if strange*30 > len(head) {
		return "", fmt.Errorf("%w: it holds binary data; give an error message, a log or a bounce saved as .eml", errNoText)
	}
	return strings.ToValidUTF8(string(b), "\ufffd"), nil
}

func fromUTF16(b []byte, order binary.ByteOrder) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = order.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}
