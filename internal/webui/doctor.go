package webui

import (
	"bytes"
	"context"
	"crypto/rand"
	"embed"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"github.com/wellsent/wellsent/internal/doctor"
	"github.com/wellsent/wellsent/internal/explain"
)

//go:embed data/*.html
var files embed.FS

var pages = sync.OnceValue(func() *template.Template { return template.Must(template.ParseFS(files, "data/*.html")) })

// maxForm bounds a form, in octets; an error text may be a whole bounce.
const maxForm = 1 << 20

// Answers are what a person answered.
type Answers struct {
	Address  string // their mail address
	Program  string // "" or one of Programs
	Error    string // what they saw, "" if nothing
	Server   string // "" to have it found
	User     string // "": the address
	Password string // "": no login is tried
}

// DoctorOptions are what the doctor's page needs. All must be given.
type DoctorOptions struct {
	Programs []string
	// Question makes the question that the answers ask. Its error is shown.
	Question func(ctx context.Context, a Answers) (*doctor.Question, error)
}

// Doctor is the doctor's page.
type Doctor struct {
	o    DoctorOptions
	path string     // the secret path, with slashes around it
	busy sync.Mutex // held while the doctor works
}

// NewDoctor returns the page.
func NewDoctor(o DoctorOptions) *Doctor { return &Doctor{o: o, path: "/" + rand.Text() + "/"} }

// URL returns where the page is when it is served on l.
func (d *Doctor) URL(l net.Addr) string { return "http://" + l.String() + d.path }

// ServeHTTP implements http.Handler.
func (d *Doctor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	// A page elsewhere that points a name of its own at this address gets no
	// further (DNS rebinding), nor does a form on such a page.
	host, err := netip.ParseAddrPort(r.Host)
	if err != nil || !host.Addr().IsLoopback() || r.URL.Path != d.path {
		http.NotFound(w, r)
		return
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		d.form(w, Answers{}, "")
	case http.MethodPost:
		if o := r.Header.Get("Origin"); o != "" && o != "http://"+r.Host && o != "null" {
			http.Error(w, "this form is not from this page", http.StatusForbidden)
			return
		}
		d.answer(w, r)
	default:
		h.Set("Allow", "GET, POST")
		http.Error(w, "GET or POST", http.StatusMethodNotAllowed)
	}
}

// form shows the questions, with what was answered and what is wrong with it.
func (d *Doctor) form(w http.ResponseWriter, a Answers, mistake string) {
	a.Password = ""
	var b bytes.Buffer
	err := pages().ExecuteTemplate(&b, "question.html", struct {
		Answers
		Programs []string
		Mistake  string
	}{a, d.o.Programs, mistake})
	if err != nil {
		http.Error(w, "the page could not be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if mistake != "" {
		w.WriteHeader(http.StatusUnprocessableEntity)
	}
	_, _ = w.Write(b.Bytes())
}

// answer runs the doctor and shows each step as it is made, then the report.
func (d *Doctor) answer(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		d.form(w, Answers{}, "The form could not be read; is the error text very long?")
		return
	}
	a := Answers{
		Address: strings.TrimSpace(r.PostForm.Get("address")), Program: r.PostForm.Get("program"), Error: strings.TrimSpace(r.PostForm.Get("error")),
		Server: strings.TrimSpace(r.PostForm.Get("server")), User: strings.TrimSpace(r.PostForm.Get("user")), Password: r.PostForm.Get("password"),
	}
	if a.Address == "" && a.Server == "" {
		d.form(w, a, "Give your mail address.")
		return
	}
	if !d.busy.TryLock() {
		d.form(w, a, "The doctor is at work already, perhaps in another window.")
		return
	}
	defer d.busy.Unlock()
	q, err := d.o.Question(r.Context(), a)
	if err != nil {
		d.form(w, a, err.Error())
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	flush := func(name string, data any) {
		if pages().ExecuteTemplate(w, name, data) == nil {
			_ = http.NewResponseController(w).Flush() // a reader that has gone ends r.Context
		}
	}
	flush("begin.html", struct{ About string }{endpoint(q)})
	q.Progress = func(p doctor.Progress) {
		if p.Done {
			flush("step.html", p)
		}
	}
	report := doctor.Run(r.Context(), *q)
	flush("end.html", d.result(a, report))
}

func endpoint(q *doctor.Question) string {
	if q.Host == "" {
		return q.Address
	}
	return fmt.Sprintf("%s, port %d", q.Host, q.Port)
}

// result is what the last part of the page shows.
type result struct {
	*doctor.Report
	Said  []explain.Finding // what the error text means
	Rows  []doctor.Row
	Name  string // of the program
	Steps []string
}

func (d *Doctor) result(a Answers, r *doctor.Report) result {
	x := result{Report: r, Rows: r.Works.Rows()}
	if a.Error != "" {
		for _, f := range explain.Text(a.Error, explain.Facts{User: a.User, Sender: a.Address}) {
			if f.Cause != "" {
				x.Said = append(x.Said, f)
			}
		}
	}
	x.Name, x.Steps = doctor.Steps(a.Program, &r.Works, a.Address)
	return x
}
