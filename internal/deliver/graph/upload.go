package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/wellsent/wellsent/internal/deliver/api"
	"github.com/wellsent/wellsent/internal/evidence"
)

// maxResumes is how often one upload goes on after its line broke. More is an
// outage, which the queue is for.
const maxResumes = 3

// session is the resource uploadSession.
type session struct {
	URL  string   `json:"uploadUrl"`
	Next []string `json:"nextExpectedRanges"` // "2097152-", "2097152" or "2097152-3483321"
}

// next returns where the upload goes on; false when the server does not say.
func (s *session) next() (int, bool) {
	if len(s.Next) == 0 {
		return 0, false
	}
	from, _, _ := strings.Cut(s.Next[0], "-")
	n, err := strconv.Atoi(from)
	return n, err == nil && n >= 0
}

// upload adds a big file by an upload session. attachment: createUploadSession.
func (c *Client) upload(ctx context.Context, id string, f *file) *api.Answer {
	var ask struct {
		Item struct {
			Kind      string `json:"attachmentType"`
			Name      string `json:"name"`
			Size      int    `json:"size"`
			Type      string `json:"contentType,omitempty"`
			Inline    bool   `json:"isInline"`
			ContentID string `json:"contentId,omitempty"`
		} `json:"AttachmentItem"`
	}
	i := &ask.Item
	i.Kind, i.Name, i.Size, i.Type, i.Inline, i.ContentID = "file", f.name, len(f.content), f.kind, f.inline, f.contentID
	res, a := c.post(ctx, "POST", "/messages/"+url.PathEscape(id)+"/attachments/createUploadSession", &ask)
	if a != nil {
		if res != nil && api.ProblemOf(res).Is("ErrorAttachmentSizeShouldNotBeLessThanMinimumSize") {
			return c.attach(ctx, id, f) // its megabytes are the bigger ones
		}
		return a
	}
	var s session
	if json.Unmarshal(res.Body, &s) != nil || !strings.HasPrefix(s.URL, "https://") {
		return c.refused(&api.Response{Status: http.StatusInternalServerError, Header: res.Header, Body: []byte("the upload session has no address under https")}, false)
	}
	return c.pieces(ctx, &s, f)
}

// pieces uploads a file piece by piece, in order. The address of the session is
// the permission: no token goes with it.
func (c *Client) pieces(ctx context.Context, s *session, f *file) *api.Answer {
	resumes := 0
	for at := 0; at < len(f.content); {
		piece := f.content[at:min(at+chunk, len(f.content))]
		res, err := c.Do(ctx, &api.Request{Method: "PUT", URL: s.URL, Type: "application/octet-stream", Bare: true,
			Size: int64(len(piece)), Body: func() (io.Reader, error) { return bytes.NewReader(piece), nil },
			Header: map[string]string{"Content-Range": fmt.Sprintf("bytes %d-%d/%d", at, at+len(piece)-1, len(f.content))}})
		switch {
		case err == nil && res.Status == http.StatusCreated:
			return nil // the whole file is there
		case err == nil && res.OK():
			if next := following(res, at+len(piece)); next > at && next <= at+len(piece) {
				at = next
				continue
			}
			// Elsewhere there would be a gap, or no end.
			return c.refused(&api.Response{Status: http.StatusServiceUnavailable, Header: res.Header, Body: []byte("the upload session wants octets that do not follow those it has")}, false)
		}
		if resumes++; resumes > maxResumes || !resumable(res, err) {
			if err != nil {
				return &api.Answer{Err: err}
			}
			return c.sessionRefused(res)
		}
		// What of the piece has come is known to the server alone.
		now, ask := c.Do(ctx, &api.Request{Method: "GET", URL: s.URL, Bare: true})
		switch {
		case ask != nil:
			return &api.Answer{Err: ask}
		case now.Status == http.StatusNotFound && at+len(piece) == len(f.content):
			// A session that is complete is gone. Send would show it where it is not so: it
			// would send a message without its attachment, so it is not relied on.
			return c.refused(&api.Response{Status: http.StatusServiceUnavailable, Header: now.Header, Body: []byte("the upload session ended with its last piece unconfirmed")}, false)
		case !now.OK():
			return c.sessionRefused(now)
		}
		if at = following(now, at); at < 0 || at >= len(f.content) {
			return c.refused(&api.Response{Status: http.StatusServiceUnavailable, Header: now.Header, Body: []byte("the upload session did not confirm its last piece")}, false)
		}
	}
	return nil
}

// sessionRefused returns the answer that an upload session's refusal is. It knows no
// token of ours, so what would be about the login elsewhere is about the session,
// which may have run out.
func (c *Client) sessionRefused(res *api.Response) *api.Answer {
	p := api.ProblemOf(res)
	if judge(p, false).Stage != evidence.StageAuth {
		return c.refused(res, false)
	}
	err := api.Verdict{Code: 451, Subject: 3, Detail: 0, Stage: evidence.StageData, Scope: evidence.ScopeHost}.Error(p, c.host)
	err.Cause = "server.temporary-failure"
	return &api.Answer{Reply: err.Reply, Err: err}
}

// following returns where the server wants the upload to go on, or next where it
// does not say.
func following(res *api.Response, next int) int {
	var s session
	if json.Unmarshal(res.Body, &s) == nil {
		if n, ok := s.next(); ok {
			return n
		}
	}
	return next
}

// resumable reports a failure after which an upload may go on.
func resumable(res *api.Response, err *evidence.Error) bool {
	if err != nil {
		return err.Origin == evidence.OriginNetwork
	}
	return res.Status >= 500 && res.Status != http.StatusServiceUnavailable // 503 is throttling: it is obeyed
}
