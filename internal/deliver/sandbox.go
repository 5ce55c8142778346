package deliver

import (
	"bufio"
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtp"
)

// sandbox is a Conversation that keeps mail in a maildir on this machine: one
// file a message, whose first lines name the sender and the recipients. A file in
// new/ is whole and on disk.
type sandbox struct {
	dir      string
	hostname string
}

// Send writes the message. Where a crash makes it happen twice, the second file
// takes the place of the first.
func (s *sandbox) Send(ctx context.Context, r *Request) *Result {
	res := &Result{Outcomes: make([]Outcome, len(r.Message.Recipients)), Attempted: true}
	name, err := s.write(ctx, r)
	var failure *evidence.Error
	if err != nil {
		failure = &evidence.Error{Reply: smtp.NewReply(451, 3, 0, "the sandbox cannot be written"), Origin: evidence.OriginLocal,
			Stage: evidence.StageData, Scope: evidence.ScopeHost, Host: "sandbox", Err: err}
		res.Trouble = failure
		res.Finding = explainLocal(failure, nil, r.Message)
	}
	for i := range res.Outcomes {
		o := &res.Outcomes[i]
		o.Index, o.Host, o.Err = r.Message.Recipients[i].Index, "sandbox", failure
		o.Status = statusOf(failure, false)
		if failure != nil {
			o.Reply, o.Finding = failure.Reply, explainLocal(failure, &r.Message.Recipients[i], r.Message)
			continue
		}
		o.Reply = smtp.NewReply(250, 0, 0, "kept as "+name)
	}
	return res
}

// Close has nothing to end.
func (s *sandbox) Close() error { return nil }

// write writes the message to tmp/, syncs it, moves it to new/ and syncs that
// directory, so that a file in new/ is whole even after a power cut. It returns
// the file's name.
func (s *sandbox) write(ctx context.Context, r *Request) (string, error) {
	for _, d := range []string{"tmp", "new", "cur"} {
		if err := os.MkdirAll(filepath.Join(s.dir, d), 0o700); err != nil {
			return "", err
		}
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	name := s.name(r)
	tmp := filepath.Join(s.dir, "tmp", name)
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", err
	}
	err = s.fill(f, r)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, filepath.Join(s.dir, "new", name))
	}
	if err != nil {
		os.Remove(tmp)
		return "", err
	}
	return name, syncDir(filepath.Join(s.dir, "new"))
}

// name returns the file's name. It is made of what the message and its recipients
// are, so that the same delivery has the same name.
func (s *sandbox) name(r *Request) string {
	h := fnv.New32a()
	for i := range r.Message.Recipients {
		fmt.Fprintf(h, "%d ", r.Message.Recipients[i].Index)
	}
	host := strings.NewReplacer("/", `\057`, ":", `\072`).Replace(s.hostname) // as maildir(5) has it
	return strconv.FormatInt(r.Message.Envelope.Received.Unix(), 10) + "." + string(r.Message.ID) + "-" + fmt.Sprintf("%08x", h.Sum32()) + "." + host
}

// fill writes the trace fields, the header block and the body.
func (s *sandbox) fill(f io.Writer, r *Request) error {
	w := bufio.NewWriterSize(f, memory)
	fmt.Fprintf(w, "Return-Path: %s\r\n", r.Message.Envelope.From) // RFC 5321 §4.4
	for i := range r.Message.Recipients {
		rcpt := &r.Message.Recipients[i]
		original := string(rcpt.Path)
		if kind, addr, ok := strings.Cut(rcpt.Params.OriginalRecipient, ";"); ok && strings.EqualFold(kind, "rfc822") {
			original = addr
		}
		fmt.Fprintf(w, "X-Original-To: %s\r\nDelivered-To: %s\r\n", original, string(rcpt.Path))
	}
	if _, err := w.Write(r.Message.Header); err != nil {
		return err
	}
	body, err := r.Body()
	if err != nil {
		return err
	}
	defer body.Close()
	if _, err := io.Copy(w, body); err != nil {
		return err
	}
	return w.Flush()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
