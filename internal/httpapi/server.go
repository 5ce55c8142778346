package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/wellsent/wellsent/internal/device"
	"github.com/wellsent/wellsent/internal/dispatch"
	"github.com/wellsent/wellsent/internal/worry"
)

// The bounds of one request. A client is a command on the same machine: it sends
// a short request at once.
const (
	maxRequest   = 1 << 20          // octets of a body: some 40,000 queue ids
	maxHeader    = 16 << 10         // octets of the request line and header
	readTimeout  = 10 * time.Second // for the whole request to arrive
	writeTimeout = 30 * time.Second // for a part of the answer to be taken
	stopTimeout  = 5 * time.Second  // for answers under way when the server stops
)

// Server answers on the control socket.
type Server struct {
	// Devices returns how devices have done lately; set before Serve, nil: none.
	Devices func() []device.Status
	// Worries returns what is to be looked at; set before Serve, nil: nothing.
	Worries func(context.Context) ([]worry.Worry, error)

	operator Operator
	info     Info
	log      *slog.Logger
}

// NewServer returns a server that has o carry out what it is asked. log gets
// orders and failures, and may be nil.
func NewServer(o Operator, log *slog.Logger) *Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Server{operator: o, info: Info{PID: os.Getpid(), Started: time.Now()}, log: log}
}

// Serve answers on l until ctx ends or l fails, then closes l and returns when
// the answers under way are done or have been cut off. It returns nil when ctx
// ended it.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	h := &http.Server{
		Handler:        s.routes(),
		ReadTimeout:    readTimeout,
		IdleTimeout:    readTimeout,
		MaxHeaderBytes: maxHeader,
		BaseContext:    func(net.Listener) context.Context { return ctx }, // a flush ends with the server
		ErrorLog:       slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1) // one result, taken below in either case
	go func() { served <- h.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("control socket: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := h.Shutdown(grace); err != nil {
		h.Close()
	}
	<-served
	return nil
}

func (s *Server) routes() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /v1/info", func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, s.info, nil) })
	m.HandleFunc("GET /v1/lanes", func(w http.ResponseWriter, r *http.Request) {
		lanes, err := s.operator.Lanes(r.Context())
		if lanes == nil {
			lanes = []dispatch.LaneStatus{}
		}
		s.answer(w, r, lanes, err)
	})
	m.HandleFunc("GET /v1/devices", func(w http.ResponseWriter, r *http.Request) {
		devices := []device.Status{}
		if s.Devices != nil {
			devices = s.Devices()
		}
		s.answer(w, r, devices, nil)
	})
	m.HandleFunc("GET /v1/worries", func(w http.ResponseWriter, r *http.Request) {
		all, err := []worry.Worry{}, error(nil)
		if s.Worries != nil {
			all, err = s.Worries(r.Context())
		}
		s.answer(w, r, all, err)
	})
	m.HandleFunc("GET /v1/queue", s.list)
	m.HandleFunc("GET /v1/queue/{id}", func(w http.ResponseWriter, r *http.Request) {
		d, err := s.operator.Show(r.Context(), r.PathValue("id"))
		s.answer(w, r, d, err)
	})
	for name, order := range map[string]func(context.Context, dispatch.Selection) (dispatch.Done, error){
		"retry": s.operator.Retry, "hold": s.operator.Hold, "resume": s.operator.Resume, "cancel": s.operator.Cancel,
	} {
		m.HandleFunc("POST /v1/queue/"+name, func(w http.ResponseWriter, r *http.Request) { s.order(w, r, name, order) })
	}
	m.HandleFunc("POST /v1/flush", func(w http.ResponseWriter, r *http.Request) {
		err := s.operator.Flush(r.Context())
		s.log.InfoContext(r.Context(), "order", "order", "flush", "error", errText(err))
		s.answer(w, r, struct{}{}, err)
	})
	m.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, http.StatusNotFound, failureText{codeUsage, "no such request: " + r.Method + " " + r.URL.Path})
	})
	return m
}

// order reads a selection and carries out one order on it.
func (s *Server) order(w http.ResponseWriter, r *http.Request, name string, do func(context.Context, dispatch.Selection) (dispatch.Done, error)) {
	which, err := readSelection(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		s.fail(w, r, http.StatusBadRequest, failureText{codeUsage, "the selection cannot be read: " + err.Error()})
		return
	}
	done, err := do(r.Context(), which)
	s.log.InfoContext(r.Context(), "order", "order", name, "ids", len(which.IDs), "lane", which.Lane, "all", which.All,
		"recipients", done.Recipients, "error", errText(err))
	s.answer(w, r, done, err)
}

// readSelection reads one selection and nothing else. One that selects nothing is
// an error, so that a field that is missing by mistake never means "all".
func readSelection(body io.Reader) (dispatch.Selection, error) {
	var which dispatch.Selection
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	if err := d.Decode(&which); err != nil {
		return which, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return which, errors.New("something follows it")
	}
	if len(which.IDs) == 0 && which.Lane == "" && !which.All {
		return which, errors.New("it selects nothing")
	}
	return which, nil
}

// list writes one line an entry, as they come.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	f := dispatch.Filter{States: q["state"], Lane: q.Get("lane"), ID: q.Get("id")}
	w.Header().Set("Content-Type", "application/x-ndjson")
	slow := http.NewResponseController(w)
	out := json.NewEncoder(w)
	for entry, err := range s.operator.List(r.Context(), f) {
		if slow.SetWriteDeadline(time.Now().Add(writeTimeout)) != nil {
			return
		}
		if err != nil {
			text := failureOf(err)
			s.log.WarnContext(r.Context(), "list the queue", "error", err)
			_ = out.Encode(listLine{Error: &text})
			return
		}
		if out.Encode(listLine{Entry: &entry}) != nil {
			return // the client has gone
		}
	}
	_ = out.Encode(listLine{End: true})
}

// answer writes v, or the failure err.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, v any, err error) {
	if err != nil {
		text := failureOf(err)
		status := map[code]int{codeNotFound: http.StatusNotFound, codeUnavailable: http.StatusServiceUnavailable,
			codeUsage: http.StatusBadRequest, codeInternal: http.StatusInternalServerError}[text.Code]
		s.fail(w, r, status, text)
		return
	}
	s.write(w, r, http.StatusOK, v)
}

func (s *Server) fail(w http.ResponseWriter, r *http.Request, status int, text failureText) {
	if text.Code == codeInternal {
		s.log.WarnContext(r.Context(), "order failed", "request", r.Method+" "+r.URL.Path, "error", text.Message)
	}
	s.write(w, r, status, failure{text})
}

func (s *Server) write(w http.ResponseWriter, r *http.Request, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"error":{"code":"internal","message":"the answer cannot be written"}}`)
		s.log.ErrorContext(r.Context(), "write an answer", "error", err)
	}
	if http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout)) != nil {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if _, err := w.Write(append(b, '\n')); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		s.log.DebugContext(r.Context(), "the client of the control socket has gone", "error", err)
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
