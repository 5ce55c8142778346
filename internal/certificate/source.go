package certificate

import (
	"crypto/tls"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// checkInterval is how often a handshake may look whether the files have
// changed. A second is short for a person who has just copied a new certificate,
// and makes the look-up free for a busy server.
const checkInterval = time.Second

// Source gives a server its certificates and keeps them current: those of files
// are read again when the files change, those of the private CA are renewed ahead
// of time. All methods may be called by many goroutines at once.
type Source struct {
	refresh func(old *set, now time.Time) (*set, error) // reads or makes the present set; immutable
	now     func() time.Time                            // immutable
	log     atomic.Pointer[slog.Logger]
	current atomic.Pointer[set]

	mu      sync.Mutex // serialises refresh; guards the fields below
	checked time.Time  // when refresh was last asked
	failed  string     // text of the last failure, so that it is logged once
}

// set is one state of a source. Immutable.
type set struct {
	leaves   []tls.Certificate // in order of preference
	warnings []string
	stamp    any // what refresh compares to see a change
}

func newSource(refresh func(*set, time.Time) (*set, error), now func() time.Time) (*Source, error) {
	s := &Source{refresh: refresh, now: now}
	first, err := refresh(nil, now())
	if err != nil {
		return nil, err
	}
	s.current.Store(first)
	s.checked = now()
	return s, nil
}

// SetLog sets the logger that is told of a reload, a renewal and of files that
// cannot be used any more. Without one nothing is logged.
func (s *Source) SetLog(l *slog.Logger) { s.log.Store(l) }

// TLSConfig returns a configuration for a server: TLS 1.2 and later, with the
// certificate that suits the client. The caller may change it.
func (s *Source) TLSConfig() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: s.get}
}

// Warnings returns what is wrong with the present certificates though they can be
// served: expired, expiring soon, an order of the chain that some clients refuse.
func (s *Source) Warnings() []string {
	s.check()
	return append([]string(nil), s.current.Load().warnings...)
}

// NotAfter returns when the first of the present certificates expires.
func (s *Source) NotAfter() time.Time {
	var first time.Time
	for _, c := range s.current.Load().leaves {
		if first.IsZero() || c.Leaf.NotAfter.Before(first) {
			first = c.Leaf.NotAfter
		}
	}
	return first
}

// Reload reads the files at once, whatever the time of the last look, and returns
// what is wrong with them. The certificates in use stay in use when it fails.
func (s *Source) Reload() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refreshLocked()
}

// get chooses the first certificate that the client can use. An old client
// without ECDSA gets the RSA leaf. The first one is also the answer to a client
// that nothing suits: its failure then names a cipher, not a missing certificate.
func (s *Source) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.check()
	leaves := s.current.Load().leaves
	for i := range leaves {
		if hello.SupportsCertificate(&leaves[i]) == nil {
			return &leaves[i], nil
		}
	}
	// A client that names no host, or another one, still gets a certificate it has
	// the algorithms for: whether the name will do is the client's to judge.
	anyName := *hello
	anyName.ServerName = ""
	for i := range leaves {
		if anyName.SupportsCertificate(&leaves[i]) == nil {
			return &leaves[i], nil
		}
	}
	return &leaves[0], nil
}

// check refreshes when the last look is long enough ago. One handshake looks; the
// others go on with what there is.
func (s *Source) check() {
	if !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	if now := s.now(); now.Sub(s.checked) < checkInterval && !now.Before(s.checked) {
		return
	}
	_ = s.refreshLocked() // logged there
}

func (s *Source) refreshLocked() error {
	s.checked = s.now()
	old := s.current.Load()
	next, err := s.refresh(old, s.checked)
	log := s.log.Load()
	if err != nil {
		if log != nil && err.Error() != s.failed {
			log.Error("certificate cannot be renewed; the old one stays in use", "error", err.Error(), "not_after", s.NotAfter())
		}
		s.failed = err.Error()
		return err
	}
	s.failed = ""
	if next != old {
		s.current.Store(next)
		if log != nil {
			log.Info("certificate renewed", "not_after", s.NotAfter())
			for _, w := range next.warnings {
				log.Warn("certificate", "warning", w)
			}
		}
	}
	return nil
}
