package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/deliver/api"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtp"
)

// cleanUp is how long the deletion of a draft that was not sent may take.
const cleanUp = 20 * time.Second

const piecesNote = "sent by way of a draft, for its size: the attachments come after the other parts, and the structure of the message is Exchange's"

// inPieces sends a message that is too long for one request: a draft of what is
// short, its attachments one by one, and send.
func (c *Client) inPieces(ctx context.Context, raw []byte, m *api.Mail) *api.Answer {
	rest, files, ok := takeApart(raw, maxMIME)
	if !ok {
		return &api.Answer{Err: api.TooLarge(c.host, fmt.Sprintf("the message has %d octets, Microsoft Graph takes %d in one request, and this one cannot be taken apart", len(raw), maxMIME))}
	}
	id, a := c.draft(ctx, rest, m.Recipients)
	if a == nil {
		a = c.attachAll(ctx, id, files)
	}
	if a == nil {
		a = c.sendDraft(ctx, id)
	}
	if id != "" && a.Err != nil && !a.Uncertain() {
		c.remove(ctx, id)
	}
	if a.Err == nil {
		a.Notes = append(a.Notes, piecesNote)
	}
	return a
}

// draft creates a draft and has it bear the recipients given. It returns an answer
// where that failed.
func (c *Client) draft(ctx context.Context, raw []byte, recipients []smtp.Path) (string, *api.Answer) {
	res, err := c.Do(ctx, &api.Request{Method: "POST", URL: c.base + "/messages", Type: "text/plain",
		Size: encodedLen(raw), Body: encoded(raw)})
	switch {
	case err != nil:
		return "", &api.Answer{Err: err}
	case res.Status == http.StatusForbidden:
		return "", c.noDrafts(res)
	case !res.OK():
		return "", c.refused(res, false)
	}
	var d resource
	if json.Unmarshal(res.Body, &d) != nil || d.ID == "" {
		return "", c.refused(&api.Response{Status: 500, Header: res.Header, Body: []byte("the draft has no id")}, false)
	}
	if d.bears(recipients) {
		return d.ID, nil
	}
	_, a := c.post(ctx, "PATCH", "/messages/"+url.PathEscape(d.ID), d.missing(recipients))
	return d.ID, a
}

// noDrafts is the answer where the application may send and may make no drafts. That
// keeps big messages alone: others must not wait for the right to be granted.
func (c *Client) noDrafts(res *api.Response) *api.Answer {
	p := api.ProblemOf(res)
	err := api.Verdict{Code: 452, Subject: 3, Detail: 4, Stage: evidence.StageData, Scope: evidence.ScopeMessage}.Error(p, c.host)
	err.Reply.Lines = append(err.Reply.Lines, needsDrafts)
	err.Cause = "message.too-large"
	return &api.Answer{Reply: err.Reply, Err: err}
}

const needsDrafts = "(a message above 3 MB goes by way of a draft, for which the application needs the permission Mail.ReadWrite)"

// attachAll adds the files to a draft.
func (c *Client) attachAll(ctx context.Context, id string, files []file) *api.Answer {
	for i := range files {
		f := &files[i]
		var a *api.Answer
		if len(f.content) < minUpload {
			a = c.attach(ctx, id, f)
		} else {
			a = c.upload(ctx, id, f)
		}
		if a != nil {
			return a
		}
	}
	return nil
}

// sendDraft sends a draft. message: send.
func (c *Client) sendDraft(ctx context.Context, id string) *api.Answer {
	res, err := c.Do(ctx, &api.Request{Method: "POST", URL: c.base + "/messages/" + url.PathEscape(id) + "/send", Commit: true})
	switch {
	case err != nil:
		return &api.Answer{Err: err}
	case !res.OK():
		return c.refused(res, true)
	}
	return &api.Answer{Reply: api.Accepted(res.Status, "taken by Microsoft Graph as a draft with uploads"+requestID(res))}
}

// remove deletes a draft that will not be sent. What becomes of that changes
// nothing for the message.
func (c *Client) remove(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUp)
	defer cancel()
	_, _ = c.Do(ctx, &api.Request{Method: "DELETE", URL: c.base + "/messages/" + url.PathEscape(id)})
}

// post makes a request with a JSON body. The answer is nil when it succeeded.
func (c *Client) post(ctx context.Context, method, path string, v any) (*api.Response, *api.Answer) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, &api.Answer{Err: api.Unreadable(err)}
	}
	res, failure := c.Do(ctx, &api.Request{Method: method, URL: c.base + path, Type: "application/json", Size: int64(len(b)),
		Body: func() (io.Reader, error) { return bytes.NewReader(b), nil }})
	switch {
	case failure != nil:
		return nil, &api.Answer{Err: failure}
	case !res.OK():
		return res, c.refused(res, false)
	}
	return res, nil
}

// resource is what is read and written of the resource message.
type resource struct {
	ID  string      `json:"id,omitempty"`
	To  []recipient `json:"toRecipients"`
	Cc  []recipient `json:"ccRecipients"`
	Bcc []recipient `json:"bccRecipients"`
}

type recipient struct {
	Address struct {
		Name    string `json:"name,omitempty"`
		Address string `json:"address"`
	} `json:"emailAddress"`
}

// bears reports whether the draft goes to these recipients and nobody else.
func (m *resource) bears(recipients []smtp.Path) bool {
	var have, want []string
	for _, r := range slices.Concat(m.To, m.Cc, m.Bcc) {
		have = append(have, strings.ToLower(r.Address.Address))
	}
	for _, r := range recipients {
		want = append(want, strings.ToLower(string(r)))
	}
	slices.Sort(have)
	slices.Sort(want)
	return slices.Equal(slices.Compact(have), slices.Compact(want))
}

// missing returns the message's recipients as they must be: who is shown and is to
// get it stays shown, the others are blind.
func (m *resource) missing(recipients []smtp.Path) *resource {
	left := map[string]smtp.Path{}
	for _, r := range recipients {
		left[strings.ToLower(string(r))] = r
	}
	keep := func(list []recipient) []recipient {
		kept := []recipient{}
		for _, r := range list {
			k := strings.ToLower(r.Address.Address)
			if _, ok := left[k]; ok {
				kept = append(kept, r)
				delete(left, k)
			}
		}
		return kept
	}
	out := &resource{To: keep(m.To), Cc: keep(m.Cc), Bcc: keep(m.Bcc)}
	for _, r := range recipients {
		if x, ok := left[strings.ToLower(string(r))]; ok && x == r {
			var b recipient
			b.Address.Address = string(r)
			out.Bcc = append(out.Bcc, b)
		}
	}
	return out
}

// attachment is the resource fileAttachment.
type attachment struct {
	Kind      string `json:"@odata.type"`
	Name      string `json:"name"`
	Type      string `json:"contentType"`
	Content   []byte `json:"contentBytes"` // base64 in JSON
	Inline    bool   `json:"isInline"`
	ContentID string `json:"contentId,omitempty"`
}

// attach adds a file below the size of uploads. message: create attachment.
func (c *Client) attach(ctx context.Context, id string, f *file) *api.Answer {
	_, a := c.post(ctx, "POST", "/messages/"+url.PathEscape(id)+"/attachments", &attachment{Kind: "#microsoft.graph.fileAttachment",
		Name: f.name, Type: f.kind, Content: f.content, Inline: f.inline, ContentID: f.contentID})
	return a
}
