package device

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/osfile"
)

// FileName is the book's file in the data directory.
const FileName = "devices.json"

// The bounds of the book.
const (
	maxPeers    = 200              // records of peers that are no device, half of them of one's own networks
	maxFailures = 5                // of a record
	maxQuirks   = 10               // of a record
	maxWhat     = 300              // octets of what failed
	writeEvery  = 20 * time.Second // at most so often it is written
)

// Record is what is known of one device or peer. Zero times mean never.
type Record struct {
	Device    string    `json:"device"` // its name; "" for a peer
	Peer      string    `json:"peer"`   // the address of its last session; "" for none
	Name      string    `json:"helo"`   // that it gave last
	Listener  string    `json:"listener"`
	Since     time.Time `json:"since"` // of the record
	Seen      time.Time `json:"seen"`
	Mail      time.Time `json:"mail"` // the last message that was taken
	Sessions  int64     `json:"sessions"`
	Messages  int64     `json:"messages"`
	TLS       string    `json:"tls"`       // of the last session with mail or login: "TLS 1.0", "none"; "" unknown
	WeakTLS   time.Time `json:"weak_tls"`  // the last session below TLS 1.2
	Plain     time.Time `json:"plain"`     // the last password without TLS
	Quirks    []string  `json:"quirks"`    // that were overlooked
	Failures  []Failure `json:"failures"`  // the last ones, newest first
	Recovered time.Time `json:"recovered"` // the last mail after a failure
}

// form is the file. Version 1: the first.
type form struct {
	Version int       `json:"version"`
	Records []*Record `json:"records"`
}

const formVersion = 1

// Book keeps the records of one data directory.
type Book struct {
	path string
	log  *slog.Logger
	now  func() time.Time

	mu      sync.Mutex         // guards the fields below
	records map[string]*Record // by key
	dirty   chan struct{}      // has one entry when something has changed since the last write
}

// Open returns the book in the data directory. A file that cannot be read is put
// aside. Nothing is written yet.
func Open(data string, log *slog.Logger) *Book {
	b := &Book{path: filepath.Join(data, FileName), log: log, now: time.Now, records: map[string]*Record{}, dirty: make(chan struct{}, 1)}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	records, err := Read(data)
	if err != nil {
		aside := b.path + ".damaged"
		b.log.Error("the book of devices cannot be read and is begun anew", "file", b.path, "aside", aside, "error", err)
		if err := os.Rename(b.path, aside); err != nil {
			b.log.Error("the book of devices cannot be put aside", "error", err)
		}
	}
	for i := range records {
		b.records[key(records[i].Device, records[i].Peer)] = &records[i]
	}
	return b
}

// Read returns the records of a data directory as last written, none where nothing
// was. It takes no lock and needs no running server.
func Read(data string) ([]Record, error) {
	text, err := os.ReadFile(filepath.Join(data, FileName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("devices: %w", err)
	}
	var f form
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("devices: %s: %w", filepath.Join(data, FileName), err)
	}
	if f.Version != formVersion {
		return nil, fmt.Errorf("devices: %s has version %d, and this program reads %d", filepath.Join(data, FileName), f.Version, formVersion)
	}
	records := make([]Record, 0, len(f.Records))
	for _, r := range f.Records {
		if r != nil {
			records = append(records, *r)
		}
	}
	return records, nil
}

func key(device, peer string) string {
	if device != "" {
		return "device " + device
	}
	return "peer " + peer
}

// Know begins a record for each device that has none, so that one that never comes
// is silent from then on, and drops those of devices that are gone.
func (b *Book) Know(s *Set) {
	b.mu.Lock()
	defer b.mu.Unlock()
	changed := false
	for _, d := range s.All() {
		if k := key(d.Name, ""); b.records[k] == nil {
			b.records[k] = &Record{Device: d.Name, Since: b.now()}
			changed = true
		}
	}
	for k, r := range b.records {
		if r.Device != "" && s.ByName(r.Device) == nil {
			delete(b.records, k)
			changed = true
		}
	}
	if changed {
		b.changed()
	}
}

// Note enters what a session showed. It returns at once.
func (b *Book) Note(s Session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	peer := s.Peer.Unmap().WithZone("").String()
	k := key(s.Device, peer)
	r := b.records[k]
	if r == nil {
		if s.Device == "" && s.Failure == nil {
			return
		}
		b.makeRoom(s)
		r = &Record{Device: s.Device, Since: s.At}
		b.records[k] = r
	}
	r.enter(s, peer)
	b.changed()
}

// enter sums s up.
func (r *Record) enter(s Session, peer string) {
	r.Peer, r.Listener, r.Seen = peer, s.Listener, s.At
	if s.Name != "" {
		r.Name = s.Name
	}
	r.Sessions++
	if s.TLS != 0 {
		r.TLS = tls.VersionName(s.TLS)
	} else if s.Messages > 0 || s.Plain {
		r.TLS = "none"
	}
	if s.TLS != 0 && s.TLS < tls.VersionTLS12 {
		r.WeakTLS = s.At
	}
	if s.Plain {
		r.Plain = s.At
	}
	for _, q := range s.Quirks {
		if !slices.Contains(r.Quirks, q) && len(r.Quirks) < maxQuirks {
			r.Quirks = append(r.Quirks, q)
		}
	}
	if s.Messages > 0 {
		r.Messages += int64(s.Messages)
		r.Mail = s.At
		if len(r.Failures) > 0 && r.Recovered.Before(r.Failures[0].At) {
			r.Recovered = s.At
		}
	}
	if f := s.Failure; f != nil {
		what := evidence.Clip(evidence.Printable(f.What), maxWhat) // it may repeat what a client said
		r.fail(Failure{At: s.At, Cause: f.Cause, What: what, Do: f.Do, Listener: s.Listener, Count: 1})
	}
}

// fail enters a failure; one like the last counts as the same.
func (r *Record) fail(f Failure) {
	if len(r.Failures) > 0 {
		if last := &r.Failures[0]; last.Cause == f.Cause && last.Listener == f.Listener && (f.Cause != "" || last.What == f.What) {
			f.Count += last.Count
			*last = f
			return
		}
	}
	r.Failures = slices.Insert(r.Failures, 0, f)
	r.Failures = r.Failures[:min(len(r.Failures), maxFailures)]
}

// makeRoom drops the peer that was seen longest ago among those like the one of s,
// of one's own networks or not, where there are too many.
func (b *Book) makeRoom(s Session) {
	if s.Device != "" {
		return
	}
	own := own(s.Peer)
	var oldest string
	n := 0
	for k, r := range b.records {
		a, err := netip.ParseAddr(r.Peer)
		if r.Device != "" || err == nil && ownNetwork(a) != own {
			continue
		}
		n++
		if o := b.records[oldest]; o == nil || r.Seen.Before(o.Seen) {
			oldest = k
		}
	}
	if n >= maxPeers/2 {
		delete(b.records, oldest)
	}
}

func own(a netip.Addr) bool { return ownNetwork(a.Unmap()) }

// ownNetwork reports an address that strangers on the Internet do not have.
func ownNetwork(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast()
}

// Records returns copies of all records, devices first, then by when they were
// seen last.
func (b *Book) Records() []Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]Record, 0, len(b.records))
	for _, r := range b.records {
		c := *r
		c.Failures, c.Quirks = slices.Clone(r.Failures), slices.Clone(r.Quirks)
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Record) int {
		return cmp.Or(cmp.Compare(min(len(b.Device), 1), min(len(a.Device), 1)), b.Seen.Compare(a.Seen), cmp.Compare(key(a.Device, a.Peer), key(b.Device, b.Peer)))
	})
	return out
}

func (b *Book) changed() {
	select {
	case b.dirty <- struct{}{}:
	default: // it is marked already
	}
}

// Run writes the book when it has changed, some seconds later, until ctx ends, and
// then once more.
func (b *Book) Run(ctx context.Context) error {
	for {
		select {
		case <-b.dirty:
		case <-ctx.Done():
			select {
			case <-b.dirty:
				b.write()
			default:
			}
			return nil
		}
		t := time.NewTimer(writeEvery)
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
		b.write()
	}
}

// write replaces the file. A failure is logged: mail goes on without the book.
func (b *Book) write() {
	f := form{Version: formVersion, Records: []*Record{}}
	for _, r := range b.Records() {
		f.Records = append(f.Records, &r)
	}
	text, err := json.MarshalIndent(f, "", " ")
	if err == nil {
		err = osfile.Replace(b.path, append(text, '\n'), 0o600)
	}
	if err != nil {
		b.log.Error("the book of devices cannot be written", "file", b.path, "error", err)
		b.changed() // the next try is a while from now, or at the end
	}
}
