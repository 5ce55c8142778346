package httpapi

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/wellsent/wellsent/internal/dispatch"
	"github.com/wellsent/wellsent/internal/spool"
)

// Operator carries out an operator's orders. A dispatcher does so itself; a
// Client has the running server's dispatcher do it.
type Operator interface {
	List(ctx context.Context, f dispatch.Filter) iter.Seq2[dispatch.Entry, error]
	Show(ctx context.Context, id string) (*dispatch.Detail, error)
	Retry(ctx context.Context, s dispatch.Selection) (dispatch.Done, error)
	Hold(ctx context.Context, s dispatch.Selection) (dispatch.Done, error)
	Resume(ctx context.Context, s dispatch.Selection) (dispatch.Done, error)
	Cancel(ctx context.Context, s dispatch.Selection) (dispatch.Done, error)
	Flush(ctx context.Context) error
	Lanes(ctx context.Context) ([]dispatch.LaneStatus, error)
}

var (
	_ Operator = (*dispatch.Dispatcher)(nil)
	_ Operator = (*Client)(nil)
)

// Info says which server answers.
type Info struct {
	PID     int       `json:"pid"`
	Started time.Time `json:"started"` // since when it answers
}

// code is the kind of a failure, for programs.
type code string

// The codes, each with its HTTP status.
const (
	codeNotFound    code = "not-found"   // 404: no such message
	codeUsage       code = "usage"       // 400: the request makes no sense
	codeUnavailable code = "unavailable" // 503: the server is stopping
	codeInternal    code = "internal"    // 500: see the server's log
)

// failure is the body of an answer that is not 200.
type failure struct {
	Error failureText `json:"error"`
}

type failureText struct {
	Code    code   `json:"code"`
	Message string `json:"message"`
}

// listLine is one line of a list: an entry, or the failure that ends it, or the
// mark that it is complete.
type listLine struct {
	Entry *dispatch.Entry `json:"entry,omitempty"`
	Error *failureText    `json:"error,omitempty"`
	End   bool            `json:"end,omitempty"`
}

// err returns the failure as an error that callers can branch on as they would on
// the dispatcher's own.
func (f failureText) err() error {
	if f.Code == codeNotFound {
		return &remoteError{text: f.Message, is: spool.ErrNotFound}
	}
	return &remoteError{text: f.Message}
}

// remoteError is an error of the server, with its words.
type remoteError struct {
	text string
	is   error // the sentinel it stands for; nil: none
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.is }

// failureOf returns what the client is told of err.
func failureOf(err error) failureText {
	switch {
	case errors.Is(err, spool.ErrNotFound), errors.Is(err, spool.ErrBadID): // an id that cannot be is of no message
		return failureText{codeNotFound, err.Error()}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return failureText{codeUnavailable, "the server is stopping"}
	}
	return failureText{codeInternal, err.Error()}
}
