package api

import (
	"crypto/tls"
	"time"

	"github.com/wellsent/wellsent/internal/evidence"
)

// maxLines is what a conversation keeps of its dialogue: some dozens of messages.
const maxLines = 60

// record is what a conversation has shown. It holds no secret and no content.
type record struct {
	addresses []string
	dials     []evidence.Dial
	tls       *evidence.TLS
	steps     []evidence.Step
	lines     []evidence.Line
	dropped   int
}

func (r *record) line(at time.Duration, from, text string) {
	if len(r.lines) == maxLines {
		r.lines = append(r.lines[:0], r.lines[1:]...)
		r.dropped++
	}
	r.lines = append(r.lines, evidence.Line{At: at, From: from, Text: evidence.Clip(evidence.Printable(text), maxLine)})
}

func (r *record) sent(at time.Duration, text string) { r.line(at, "C", text) }
func (r *record) got(at time.Duration, text string)  { r.line(at, "S", text) }
func (r *record) note(at time.Duration, text string) { r.line(at, "S", "("+text+")") }

func (r *record) step(stage evidence.Stage, since time.Time) {
	took := time.Since(since)
	for i := range r.steps {
		if r.steps[i].Stage == stage {
			r.steps[i].Took = took
			return
		}
	}
	r.steps = append(r.steps, evidence.Step{Stage: stage, Took: took})
}

func (r *record) dialed(address string, since time.Time, err error) {
	d := evidence.Dial{Address: address, Took: time.Since(since)}
	if err != nil {
		d.Error = err.Error()
	}
	if len(r.dials) == maxLines {
		r.dials = append(r.dials[:0], r.dials[1:]...)
	}
	r.dials = append(r.dials, d)
}

func (r *record) secured(s tls.ConnectionState) {
	t := &evidence.TLS{Version: tls.VersionName(s.Version), Cipher: tls.CipherSuiteName(s.CipherSuite), Verified: true, Chain: []evidence.Cert{}}
	for _, c := range s.PeerCertificates {
		t.Chain = append(t.Chain, evidence.Cert{Subject: c.Subject.String(), Issuer: c.Issuer.String(), Names: append([]string{}, c.DNSNames...), NotBefore: c.NotBefore, NotAfter: c.NotAfter})
	}
	r.tls = t
}

// Record returns what the conversation has shown so far, with the failure that
// ended it, or nil. It shares nothing with the Client.
func (c *Client) Record(failure *evidence.Error) *evidence.Record {
	return &evidence.Record{
		Version: evidence.Version, Host: c.o.Host, Port: c.o.Port,
		Addresses:  append([]string{}, c.rec.addresses...),
		Dials:      append([]evidence.Dial{}, c.rec.dials...),
		TLS:        c.rec.tls,
		Extensions: []string{},
		Steps:      append([]evidence.Step{}, c.rec.steps...),
		Lines:      append([]evidence.Line{}, c.rec.lines...),
		Dropped:    c.rec.dropped,
		Notes:      []string{},
		Failure:    evidence.Summarise(failure),
	}
}
