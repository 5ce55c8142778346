package apitest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/mail"
	"strconv"
	"strings"
	"testing"
)

// Gmail is the Gmail API as far as sending mail goes.
type Gmail struct {
	Server
	Mailboxes []string

	uploads map[string]*gmailUpload // guarded by mu
	n       int
}

type gmailUpload struct {
	user string
	size int
	have []byte
	done bool
}

// gmailPiece is what pieces are multiples of, gmailMax the most of a message.
const (
	gmailPiece = 256 << 10
	gmailMax   = 36_700_160
)

// NewGmail starts a server that knows these mailboxes.
func NewGmail(t testing.TB, mailboxes ...string) *Gmail {
	t.Helper()
	g := &Gmail{Mailboxes: mailboxes, uploads: map[string]*gmailUpload{}}
	g.start(t, g.handle)
	return g
}

// GmailError answers as the Google APIs refuse.
func GmailError(w http.ResponseWriter, status int, reason, message string) bool {
	return Answer(w, status, map[string]any{"error": map[string]any{"code": status, "message": message,
		"errors": []any{map[string]any{"domain": "global", "reason": reason, "message": message}}}})
}

func (g *Gmail) handle(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if !g.authorised(r) {
		GmailError(w, 401, "authError", "Invalid Credentials")
		return
	}
	rest, ok := strings.CutPrefix(r.URL.Path, "/upload/gmail/v1/users/")
	user, ok2 := strings.CutSuffix(rest, "/messages/send")
	q := r.URL.Query()
	switch {
	case !ok || !ok2:
		GmailError(w, 404, "notFound", "Not Found")
	case user != "me" && !has(g.Mailboxes, user):
		GmailError(w, 403, "forbidden", "Delegation denied for "+user)
	case r.Method == "POST" && q.Get("uploadType") == "media":
		if r.Header.Get("Content-Type") != "message/rfc822" {
			GmailError(w, 400, "badContent", "Media type is not supported.")
			return
		}
		g.accept(w, user, body)
	case r.Method == "POST" && q.Get("uploadType") == "resumable":
		size, err := strconv.Atoi(r.Header.Get("X-Upload-Content-Length"))
		if err != nil || r.Header.Get("X-Upload-Content-Type") != "message/rfc822" {
			GmailError(w, 400, "badContent", "Media type is not supported.")
			return
		}
		g.mu.Lock()
		g.n++
		id := strconv.Itoa(g.n)
		g.uploads[id] = &gmailUpload{user: user, size: size}
		g.mu.Unlock()
		w.Header().Set("Location", "https://"+r.Host+r.URL.Path+"?uploadType=resumable&upload_id="+id)
		w.WriteHeader(200)
	case r.Method == "PUT" && q.Get("upload_id") != "":
		g.put(w, r, q.Get("upload_id"), body)
	default:
		GmailError(w, 400, "badRequest", "Bad Request")
	}
}

// put takes a piece, or tells what there is.
func (g *Gmail) put(w http.ResponseWriter, r *http.Request, id string, body []byte) {
	g.mu.Lock()
	u := g.uploads[id]
	g.mu.Unlock()
	if u == nil {
		GmailError(w, 404, "notFound", "Upload not found")
		return
	}
	cr := r.Header.Get("Content-Range")
	if cr != fmt.Sprintf("bytes */%d", u.size) {
		last := len(u.have)+len(body) == u.size
		if want := fmt.Sprintf("bytes %d-%d/%d", len(u.have), len(u.have)+len(body)-1, u.size); cr != want || !last && len(body)%gmailPiece != 0 {
			GmailError(w, 400, "badRequest", "Content-Range is "+cr+", not "+want)
			return
		}
		u.have = append(u.have, body...)
	}
	switch {
	case u.done:
		Answer(w, 200, map[string]any{"id": "m" + id})
	case len(u.have) == u.size:
		u.done = true
		g.accept(w, u.user, u.have)
	default:
		if len(u.have) > 0 {
			w.Header().Set("Range", fmt.Sprintf("bytes=0-%d", len(u.have)-1))
		}
		w.WriteHeader(http.StatusPermanentRedirect)
	}
}

// Complete takes the rest of an upload behind the client's back, as when the answer
// to its last piece is lost.
func (g *Gmail) Complete(id string, piece []byte) {
	g.mu.Lock()
	u := g.uploads[id]
	g.mu.Unlock()
	u.have, u.done = append(u.have, piece...), true
	g.record(u.user, u.have)
}

func (g *Gmail) accept(w http.ResponseWriter, user string, raw []byte) {
	if len(raw) > gmailMax {
		GmailError(w, 413, "uploadTooLarge", "Request payload size exceeds the limit.")
		return
	}
	if why := g.record(user, raw); why != "" {
		GmailError(w, 400, "invalidArgument", why)
		return
	}
	Answer(w, 200, map[string]any{"id": "18f0", "threadId": "18f0", "labelIds": []string{"SENT"}})
}

// record keeps a message that would go out; it returns why one would not.
func (g *Gmail) record(user string, raw []byte) string {
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return "Request contains an invalid argument."
	}
	to := append(append(list(m, "To"), list(m, "Cc")...), list(m, "Bcc")...)
	for _, a := range to {
		if strings.HasSuffix(a, ".invalid") {
			return "Invalid To header"
		}
	}
	if len(to) == 0 {
		return "Recipient address required"
	}
	g.send(Sent{User: user, Recipients: to, MIME: raw})
	return ""
}
