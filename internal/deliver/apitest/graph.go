package apitest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/mail"
	"strconv"
	"strings"
	"testing"
)

// Graph is Microsoft Graph as far as sending mail goes.
type Graph struct {
	Server
	Mailboxes []string // whose mail may be sent
	SendAs    []string // what they may send as beside themselves
	LoseBcc   bool     // Bcc of a draft in MIME form is not taken up

	drafts   map[string]*draft // guarded by mu
	sessions map[string]*session
	n        int
}

// What Graph takes.
const (
	graphRequest = 4 << 20   // octets of a request
	graphSmall   = 3 << 20   // octets from which on an attachment is uploaded
	graphLarge   = 150 << 20 // octets of an attachment
	graphPiece   = 320 << 10
)

type draft struct {
	user        string
	mime        []byte
	to, cc, bcc []string
	files       []Attachment
}

type session struct {
	draft string
	file  Attachment
	size  int
}

// NewGraph starts a server that knows these mailboxes.
func NewGraph(t testing.TB, mailboxes ...string) *Graph {
	t.Helper()
	g := &Graph{Mailboxes: mailboxes, drafts: map[string]*draft{}, sessions: map[string]*session{}}
	g.start(t, g.handle)
	return g
}

// GraphError answers as Graph refuses.
func GraphError(w http.ResponseWriter, status int, code, message string) bool {
	return Answer(w, status, map[string]any{"error": map[string]any{"code": code, "message": message,
		"innerError": map[string]any{"date": "2026-11-26T14:00:00", "request-id": "5b3e5e0c-0000-0000-0000-000000000000"}}})
}

func (g *Graph) handle(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if strings.HasPrefix(r.URL.Path, "/upload/") {
		g.upload(w, r, body)
		return
	}
	if len(body) > graphRequest {
		GraphError(w, 413, "RequestEntityTooLarge", "The request entity is too large.")
		return
	}
	if !g.authorised(r) {
		GraphError(w, 401, "InvalidAuthenticationToken", "Access token has expired or is not yet valid.")
		return
	}
	rest, ok := strings.CutPrefix(r.URL.Path, "/v1.0/users/")
	user, rest, more := strings.Cut(rest, "/")
	if !ok || !more {
		GraphError(w, 400, "BadRequest", "Resource not found for the segment.")
		return
	}
	if !has(g.Mailboxes, user) {
		GraphError(w, 404, "ErrorInvalidUser", "The requested user '"+user+"' is invalid.")
		return
	}
	seg := strings.Split(rest, "/")
	switch {
	case r.Method == "POST" && rest == "sendMail":
		g.sendMail(w, r, user, body)
	case r.Method == "POST" && rest == "messages":
		g.create(w, r, user, body)
	case seg[0] == "messages" && len(seg) > 1:
		g.mu.Lock()
		d := g.drafts[seg[1]]
		g.mu.Unlock()
		if d == nil {
			GraphError(w, 404, "ErrorItemNotFound", "The specified object was not found in the store.")
			return
		}
		g.onDraft(w, r, seg[1], d, strings.Join(seg[2:], "/"), body)
	default:
		GraphError(w, 405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
	}
}

// content reads a body in MIME form. It answers where that is not one.
func content(w http.ResponseWriter, r *http.Request, body []byte) (*mail.Message, []byte, bool) {
	if r.Header.Get("Content-Type") != "text/plain" {
		GraphError(w, 415, "RequestBodyRead", "The MIME content is sent as text/plain.")
		return nil, nil, false
	}
	raw, err := base64.StdEncoding.DecodeString(string(body))
	if err != nil {
		GraphError(w, 400, "ErrorMimeContentInvalidBase64String", "Invalid base64 string for MIME content.")
		return nil, nil, false
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		GraphError(w, 400, "ErrorMimeContentInvalid", "MIME content does not contain all required information, malformed formatting, or empty.")
		return nil, nil, false
	}
	return m, raw, true
}

func list(m *mail.Message, field string) []string {
	var out []string
	as, _ := m.Header.AddressList(field)
	for _, a := range as {
		out = append(out, a.Address)
	}
	return out
}

func (g *Graph) sendMail(w http.ResponseWriter, r *http.Request, user string, body []byte) {
	m, raw, ok := content(w, r, body)
	if !ok || !g.submits(w, user, m) {
		return
	}
	to := append(append(list(m, "To"), list(m, "Cc")...), list(m, "Bcc")...)
	if !valid(w, to) {
		return
	}
	g.send(Sent{User: user, Recipients: to, MIME: raw})
	w.Header().Set("request-id", "5b3e5e0c-1111-2222-3333-000000000000")
	w.WriteHeader(http.StatusAccepted)
}

// submits reports whether user may send m; it answers where not.
func (g *Graph) submits(w http.ResponseWriter, user string, m *mail.Message) bool {
	for _, from := range list(m, "From") {
		if !strings.EqualFold(from, user) && !has(g.SendAs, from) {
			return !GraphError(w, 403, "ErrorSendAsDenied", "The user account which was used to submit this request does not have the right to send mail on behalf of the specified sending account., Cannot submit message.")
		}
	}
	return true
}

func valid(w http.ResponseWriter, to []string) bool {
	for _, a := range to {
		if !strings.Contains(a, "@") || strings.HasSuffix(a, ".invalid") {
			return !GraphError(w, 400, "ErrorInvalidRecipients", "At least one recipient is not valid., Recipient '"+a+"' is not resolved. All recipients must be resolved before a message can be submitted.")
		}
	}
	if len(to) == 0 {
		return !GraphError(w, 400, "ErrorInvalidRecipients", "At least one recipient is not valid.")
	}
	return true
}

func (g *Graph) create(w http.ResponseWriter, r *http.Request, user string, body []byte) {
	m, raw, ok := content(w, r, body)
	if !ok {
		return
	}
	d := &draft{user: user, mime: raw, to: list(m, "To"), cc: list(m, "Cc"), bcc: list(m, "Bcc")}
	if g.LoseBcc {
		d.bcc = nil
	}
	g.mu.Lock()
	g.n++
	id := fmt.Sprintf("AAMkAD%d=", g.n)
	g.drafts[id] = d
	g.mu.Unlock()
	Answer(w, 201, d.resource(id))
}

func (d *draft) resource(id string) map[string]any {
	of := func(as []string) []any {
		out := []any{}
		for _, a := range as {
			out = append(out, map[string]any{"emailAddress": map[string]any{"address": a, "name": a}})
		}
		return out
	}
	return map[string]any{"id": id, "isDraft": true, "toRecipients": of(d.to), "ccRecipients": of(d.cc), "bccRecipients": of(d.bcc)}
}

// onDraft answers a request about a draft.
func (g *Graph) onDraft(w http.ResponseWriter, r *http.Request, id string, d *draft, what string, body []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case r.Method == "DELETE" && what == "":
		delete(g.drafts, id)
		w.WriteHeader(http.StatusNoContent)
	case r.Method == "PATCH" && what == "":
		var in struct {
			ToRecipients, CcRecipients, BccRecipients []struct{ EmailAddress struct{ Address string } }
		}
		if json.Unmarshal(body, &in) != nil {
			GraphError(w, 400, "RequestBodyRead", "The body is no JSON.")
			return
		}
		d.to, d.cc, d.bcc = nil, nil, nil
		for _, x := range in.ToRecipients {
			d.to = append(d.to, x.EmailAddress.Address)
		}
		for _, x := range in.CcRecipients {
			d.cc = append(d.cc, x.EmailAddress.Address)
		}
		for _, x := range in.BccRecipients {
			d.bcc = append(d.bcc, x.EmailAddress.Address)
		}
		Answer(w, 200, d.resource(id))
	case r.Method == "POST" && what == "attachments":
		g.attach(w, d, body)
	case r.Method == "POST" && what == "attachments/createUploadSession":
		g.createSession(w, r, id, body)
	case r.Method == "POST" && what == "send":
		m, err := mail.ReadMessage(bytes.NewReader(d.mime))
		to := append(append(append([]string{}, d.to...), d.cc...), d.bcc...)
		if err != nil || !g.submits(w, d.user, m) || !valid(w, to) {
			return
		}
		delete(g.drafts, id)
		x := Sent{User: d.user, Recipients: to, MIME: d.mime, Attachments: d.files}
		g.mu.Unlock()
		g.send(x)
		g.mu.Lock()
		w.WriteHeader(http.StatusAccepted)
	default:
		GraphError(w, 405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
	}
}

func (g *Graph) attach(w http.ResponseWriter, d *draft, body []byte) {
	var in struct {
		Kind      string `json:"@odata.type"`
		Name      string
		Type      string `json:"contentType"`
		Content   []byte `json:"contentBytes"`
		Inline    bool   `json:"isInline"`
		ContentID string `json:"contentId"`
	}
	if json.Unmarshal(body, &in) != nil || in.Kind != "#microsoft.graph.fileAttachment" || in.Name == "" {
		GraphError(w, 400, "RequestBodyRead", "A fileAttachment has @odata.type, name and contentBytes.")
		return
	}
	d.files = append(d.files, Attachment{Name: in.Name, Type: in.Type, ContentID: in.ContentID, Inline: in.Inline, Content: in.Content})
	Answer(w, 201, map[string]any{"id": "att", "name": in.Name})
}

func (g *Graph) createSession(w http.ResponseWriter, r *http.Request, id string, body []byte) {
	var in struct {
		AttachmentItem struct {
			AttachmentType, Name, ContentType, ContentID string
			Size                                         int
			IsInline                                     bool
		}
	}
	i := &in.AttachmentItem
	switch err := json.Unmarshal(body, &in); {
	case err != nil || i.AttachmentType != "file" || i.Name == "":
		GraphError(w, 400, "RequestBodyRead", "An AttachmentItem has attachmentType, name and size.")
		return
	case i.Size < graphSmall:
		GraphError(w, 400, "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize", "The attachment is smaller than 3 MB.")
		return
	case i.Size > graphLarge:
		GraphError(w, 400, "ErrorAttachmentSizeLimitExceeded", "The attachment is larger than 150 MB.")
		return
	}
	g.n++
	key := strconv.Itoa(g.n)
	g.sessions[key] = &session{draft: id, size: i.Size, file: Attachment{Name: i.Name, Type: i.ContentType, ContentID: i.ContentID, Inline: i.IsInline, Uploaded: true}}
	Answer(w, 201, map[string]any{"uploadUrl": "https://" + r.Host + "/upload/" + key + "?authtoken=eyJsecret", "expirationDateTime": "2026-11-27T00:00:00Z", "nextExpectedRanges": []string{"0-"}})
}

// upload takes a piece of a file. The address is the permission.
func (g *Graph) upload(w http.ResponseWriter, r *http.Request, body []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.sessions[strings.TrimPrefix(r.URL.Path, "/upload/")]
	switch {
	case r.Header.Get("Authorization") != "":
		GraphError(w, 401, "InvalidAuthenticationToken", "Do not specify an Authorization request header.")
		return
	case s == nil || r.URL.Query().Get("authtoken") == "":
		GraphError(w, 404, "ErrorItemNotFound", "The upload session was not found.")
		return
	}
	have := len(s.file.Content)
	if r.Method == "GET" {
		Answer(w, 200, map[string]any{"nextExpectedRanges": []string{strconv.Itoa(have) + "-"}})
		return
	}
	want := fmt.Sprintf("bytes %d-%d/%d", have, have+len(body)-1, s.size)
	last := have+len(body) == s.size
	switch {
	case r.Method != "PUT" || r.Header.Get("Content-Type") != "application/octet-stream" || r.Header.Get("Content-Range") != want:
		GraphError(w, 416, "ErrorInvalidRange", "Content-Range is "+r.Header.Get("Content-Range")+", not "+want)
		return
	case len(body) > 4_000_000 || !last && len(body)%graphPiece != 0:
		GraphError(w, 400, "ErrorInvalidRange", "A piece is a multiple of 320 KiB, and at most 4 MB.")
		return
	}
	s.file.Content = append(s.file.Content, body...)
	if !last {
		Answer(w, 200, map[string]any{"nextExpectedRanges": []string{strconv.Itoa(have + len(body))}})
		return
	}
	if d := g.drafts[s.draft]; d != nil {
		d.files = append(d.files, s.file)
	}
	w.Header().Set("Location", "https://"+r.Host+"/api/v2.0/Attachments('x')")
	w.WriteHeader(http.StatusCreated)
}

// Drafts returns how many drafts are left in the mailboxes.
func (g *Graph) Drafts() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.drafts)
}

func has(list []string, s string) bool {
	for _, x := range list {
		if strings.EqualFold(x, s) {
			return true
		}
	}
	return false
}
