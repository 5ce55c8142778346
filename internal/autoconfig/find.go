package autoconfig

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wellsent/wellsent/internal/provider"
	"github.com/wellsent/wellsent/internal/resolver"
)

// Options say where to look.
type Options struct {
	Resolver *resolver.Resolver // required
	Client   *http.Client       // nil: neither files nor Autodiscover are asked for; see NewClient

	Configured []Outgoing // what the caller has already; it is returned first
	Database   string     // the URL of a central database that the domain is added to, over HTTPS; "": none is asked
	All        bool       // ask all sources, whatever the first ones say
	AsSpelt    bool       // ask even where the domain seems to be a slip for a known one

	// Probe reports whether a guessed server is one; nil: guesses are returned
	// unprobed. It is called by several goroutines at once and must return when
	// ctx ends, which is after 10 s at the latest.
	Probe func(ctx context.Context, s provider.Server) error
}

// ErrBadAddress is the error for an address without a usable domain.
var ErrBadAddress = errors.New("not an address with a domain")

// errNothing says that a source was asked and has no answer.
var errNothing = errors.New("nothing is known there")

// Find returns what the sources say of the servers for an address. The error is
// ErrBadAddress, that of the context, or that of the options; a source that fails
// is in Result.Tried.
func Find(ctx context.Context, address string, o Options) (*Result, error) {
	at := strings.LastIndexByte(address, '@')
	if at < 1 || !isText(address) || len(address) > maxUser {
		return nil, ErrBadAddress
	}
	domain, ok := hostName(address[at+1:])
	if !ok {
		return nil, ErrBadAddress
	}
	if o.Database != "" && !strings.HasPrefix(o.Database, "https://") {
		return nil, fmt.Errorf("the database %q is not reached by https", o.Database)
	}
	f := &finder{Options: o, address: address[:at+1] + domain, domain: domain}
	f.result = &Result{Address: f.address, Domain: domain, Settings: []Settings{}, NotOffered: []string{}, Tried: []Tried{}}
	if meant, ok := provider.Misspelt(domain); ok {
		f.result.Misspelt = meant
		if !o.AsSpelt {
			f.run(ctx, f.configured)
			return f.result, nil
		}
	}
	steps := [][]source{{f.configured}, {f.byDomain}, {f.byMX}, {f.bySRV}, {f.byFile, f.byWellKnown, f.byDatabase, f.byMXFile}, {f.byAutodiscover}, {f.byPlainFile}}
	if o.All {
		steps = [][]source{slices.Concat(steps...)}
	}
	for _, step := range steps {
		f.run(ctx, step...)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if f.result.Absent = f.absent(); f.result.Absent || f.answered() && !o.All {
			return f.result, nil
		}
	}
	if !f.answered() {
		f.run(ctx, f.byGuess)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return f.result, nil
}

// answered reports whether a server is known, or that there is none for programs.
func (f *finder) answered() bool {
	_, ok := f.result.Best()
	return ok || f.result.Provider != nil && !f.result.Provider.Works()
}

// finder is one search.
type finder struct {
	Options
	address string
	domain  string
	result  *Result
	mx      mxAnswer
}

// answer is what a source says: settings, or why there are none.
type answer struct {
	settings   []Settings
	tried      []Tried
	notOffered []string
	provider   *provider.Provider
}

// source asks one source. It writes nothing of the finder.
type source func(ctx context.Context) answer

// run asks sources at once and takes their answers in the order given.
func (f *finder) run(ctx context.Context, sources ...source) {
	answers := make([]answer, len(sources))
	var wait sync.WaitGroup
	for i, ask := range sources {
		wait.Go(func() { answers[i] = ask(ctx) })
	}
	wait.Wait()
	for _, a := range answers {
		for _, s := range a.settings {
			s.Incoming, s.Docs, s.Outgoing = list(s.Incoming), list(s.Docs), list(s.Outgoing)
			for i := range s.Outgoing {
				s.Outgoing[i].Logins = list(s.Outgoing[i].Logins)
			}
			f.result.Settings = append(f.result.Settings, s)
		}
		f.result.Tried = append(f.result.Tried, a.tried...)
		f.result.NotOffered = append(f.result.NotOffered, a.notOffered...)
		if f.result.Provider == nil {
			f.result.Provider = a.provider
		}
	}
}

// list returns l, or an empty list for nil: JSON lists are [], never null.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

// took returns the record of a source that was asked since start.
func took(s Source, where string, start time.Time, err error) Tried {
	t := Tried{Source: s, Where: where, Found: err == nil, Took: time.Since(start), Err: err}
	if err != nil {
		t.Reason = err.Error()
	}
	return t
}

// configured returns what the caller has.
func (f *finder) configured(context.Context) answer {
	if len(f.Configured) == 0 {
		return answer{}
	}
	return answer{settings: []Settings{{Source: FromCaller, Trust: TrustOwn, Outgoing: slices.Clone(f.Configured)}}}
}

// byDomain asks provider data for the mail domain.
func (f *finder) byDomain(context.Context) answer {
	start := time.Now()
	p, ok := provider.ByDomain(f.domain)
	if !ok {
		return answer{tried: []Tried{took(FromProvider, f.domain, start, errNothing)}}
	}
	s := ofProvider(p, f.address)
	s.Source, s.Trust = FromProvider, TrustOwn
	return answer{settings: []Settings{s}, provider: p, tried: []Tried{took(FromProvider, f.domain, start, nil)}}
}

// byFile asks for the domain's own file. The address goes with it: files may
// differ by user.
func (f *finder) byFile(ctx context.Context) answer {
	return f.file(ctx, FromAutoconfig, TrustHTTPS, "https://autoconfig."+f.domain+"/mail/config-v1.1.xml?emailaddress="+url.QueryEscape(f.address))
}

// byWellKnown asks for it at its other place.
func (f *finder) byWellKnown(ctx context.Context) answer {
	return f.file(ctx, FromWellKnown, TrustHTTPS, "https://"+f.domain+"/.well-known/autoconfig/mail/config-v1.1.xml")
}

// byPlainFile asks for both without TLS, and keeps the address to itself.
func (f *finder) byPlainFile(ctx context.Context) answer {
	a := f.file(ctx, FromPlainFile, TrustPlain, "http://autoconfig."+f.domain+"/mail/config-v1.1.xml")
	if len(a.settings) > 0 {
		return a
	}
	b := f.file(ctx, FromPlainFile, TrustPlain, "http://"+f.domain+"/.well-known/autoconfig/mail/config-v1.1.xml")
	b.tried = append(a.tried, b.tried...)
	return b
}

// byDatabase asks the central database.
func (f *finder) byDatabase(ctx context.Context) answer {
	if f.Database == "" {
		return answer{}
	}
	return f.file(ctx, FromDatabase, TrustHTTPS, f.databaseURL(f.domain))
}

func (f *finder) databaseURL(domain string) string {
	return strings.TrimSuffix(f.Database, "/") + "/" + domain
}

// byAutodiscover asks the domain's Autodiscover servers, without a login.
func (f *finder) byAutodiscover(ctx context.Context) answer {
	var all answer
	for _, host := range []string{"autodiscover." + f.domain, f.domain} {
		a := f.fetched(ctx, FromAutodiscover, TrustHTTPS, "https://"+host+"/autodiscover/autodiscover.xml", autodiscoverRequest(f.address), ParseAutodiscover)
		all.settings, all.tried = a.settings, append(all.tried, a.tried...)
		if len(all.settings) > 0 {
			break
		}
	}
	return all
}

func (f *finder) file(ctx context.Context, s Source, t Trust, target string) answer {
	return f.fetched(ctx, s, t, target, nil, ParseConfig)
}

// fetched asks one URL and reads its answer. Trust over HTTPS is lost where a hop
// was without.
func (f *finder) fetched(ctx context.Context, s Source, t Trust, target string, body []byte, parse func([]byte, string) (*Config, error)) answer {
	if f.Client == nil {
		return answer{}
	}
	where, _, _ := strings.Cut(target, "?") // the address is no part of the place
	start := time.Now()
	b, secure, err := fetch(ctx, f.Client, target, body)
	var c *Config
	if err == nil {
		c, err = parse(b, f.address)
	}
	tried := []Tried{took(s, where, start, err)}
	if err != nil {
		return answer{tried: tried}
	}
	if !secure {
		t = TrustPlain
	}
	return answer{tried: tried, settings: []Settings{{
		Source: s, Where: where, Trust: t, Foreign: foreign(f.domain, c.Outgoing),
		Name: c.Name, Outgoing: c.Outgoing, Incoming: c.Incoming, Docs: c.Docs,
	}}}
}
