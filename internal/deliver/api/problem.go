package api

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtp"
)

// maxLine is what is kept of a text of the server, in octets.
const maxLine = 400

// Problem is a refusal as Microsoft Graph and the Google APIs word it.
type Problem struct {
	Status  int
	Code    string // "ErrorSendAsDenied"; at Google the reason, "rateLimitExceeded"
	Inner   string // a narrower code, "" for none
	Message string
}

// ProblemOf reads an answer that is no success. One without JSON has no code.
func ProblemOf(r *Response) Problem {
	p := Problem{Status: r.Status}
	var body struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(r.Body, &body) != nil || len(body.Error) == 0 {
		p.Message = text(r)
		return p
	}
	var e struct {
		Code    any    `json:"code"` // a text at Microsoft, a number at Google
		Message string `json:"message"`
		Status  string `json:"status"`
		Errors  []struct {
			Reason  string `json:"reason"`
			Message string `json:"message"`
		} `json:"errors"`
		InnerError struct {
			Code string `json:"code"`
		} `json:"innerError"`
		Details []struct {
			Reason string `json:"reason"`
		} `json:"details"`
	}
	if json.Unmarshal(body.Error, &e) != nil {
		_ = json.Unmarshal(body.Error, &p.Message) // an OAuth error is a text alone
		return p
	}
	p.Message = e.Message
	p.Code, _ = e.Code.(string)
	p.Inner = e.InnerError.Code
	if len(e.Errors) > 0 {
		p.Code = e.Errors[0].Reason
	}
	for _, d := range e.Details {
		if d.Reason != "" {
			p.Inner = d.Reason
		}
	}
	if p.Code == "" {
		p.Code = e.Status
	}
	return p
}

// text returns what an answer that is no JSON says, where that is short enough to
// be more than a page for a browser.
func text(r *Response) string {
	s := strings.TrimSpace(string(r.Body))
	if s == "" || strings.HasPrefix(s, "<") || len(s) > maxLine {
		return http.StatusText(r.Status)
	}
	return s
}

// Is reports whether the problem has one of these codes, whatever their case.
func (p Problem) Is(codes ...string) bool {
	for _, c := range codes {
		if strings.EqualFold(p.Code, c) || strings.EqualFold(p.Inner, c) {
			return true
		}
	}
	return false
}

// String returns the problem in one line: "HTTP 403 ErrorSendAsDenied: The user …".
func (p Problem) String() string {
	s := "HTTP " + strconv.Itoa(p.Status)
	if p.Code != "" {
		s += " " + p.Code
	}
	if p.Inner != "" && p.Inner != p.Code {
		s += " " + p.Inner
	}
	if p.Message != "" {
		s += ": " + p.Message
	}
	return evidence.Clip(evidence.Printable(strings.Join(strings.Fields(s), " ")), maxLine)
}

// line returns an answer for the record.
func line(r *Response) string {
	if r.OK() || r.Status == http.StatusPermanentRedirect {
		return "HTTP " + strconv.Itoa(r.Status)
	}
	return ProblemOf(r).String()
}

// Verdict is what a problem is in the terms of SMTP. It says who or what is
// condemned; the words stay the server's.
type Verdict struct {
	Code, Subject, Detail int // of the reply; RFC 5321 §4.2, RFC 3463
	Stage                 evidence.Stage
	Scope                 evidence.Scope
	Unsure                bool // the message may be on its way all the same
}

// Error returns the failure that a verdict makes of a problem.
func (v Verdict) Error(p Problem, host string) *evidence.Error {
	if v.Unsure {
		return &evidence.Error{Origin: evidence.OriginNetwork, Stage: evidence.StagePostData, Scope: evidence.ScopeMessage, Host: host, Err: unanswered(p.String())}
	}
	return &evidence.Error{Reply: smtp.NewReply(v.Code, v.Subject, v.Detail, p.String()), Origin: evidence.OriginRemote, Stage: v.Stage, Scope: v.Scope, Host: host}
}

// unanswered is an answer of a gateway in the place of the server behind it.
type unanswered string

// Error implements error.
func (u unanswered) Error() string {
	return "no answer from the server behind the gateway: " + string(u)
}

// maxRetryAfter bounds what a server may ask for: a day's quota is the longest
// that is known of.
const maxRetryAfter = 24 * time.Hour

// inMessage is how Gmail words it: "Retry after 2026-11-26T14:40:03.114Z (Mail sending)".
var inMessage = regexp.MustCompile(`(?i)retry after (\d{4}-\d\d-\d\dT[0-9:.]+Z)`)

// RetryAfter returns how long an answer asks to be left alone, 0 when it does not.
// RFC 9110 §10.2.3.
func RetryAfter(r *Response, now time.Time) time.Duration {
	var d time.Duration
	v := strings.TrimSpace(r.Header.Get("Retry-After"))
	if n, err := strconv.ParseInt(v, 10, 32); err == nil {
		d = time.Duration(n) * time.Second
	} else if t, err := http.ParseTime(v); err == nil {
		d = t.Sub(now)
	} else if m := inMessage.FindSubmatch(r.Body); m != nil && !r.OK() {
		if t, err := time.Parse(time.RFC3339Nano, string(m[1])); err == nil {
			d = t.Sub(now)
		}
	}
	return max(0, min(d, maxRetryAfter))
}
