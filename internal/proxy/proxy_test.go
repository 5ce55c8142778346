package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ in, out, wrong string }{
		{"socks5://proxy.example:1081", "socks5://proxy.example:1081", ""},
		{"SOCKS5H://proxy.example", "socks5h://proxy.example:1080", ""},
		{"socks://10.0.0.1", "socks5://10.0.0.1:1080", ""},
		{"http://proxy.example:3128/", "http://proxy.example:3128", ""},
		{"https://[2001:db8::1]", "https://[2001:db8::1]:443", ""},
		{"http://ann:s3cr%40t@proxy.example:3128", "http://ann:***@proxy.example:3128", ""},
		{"proxy.example:3128", "", "is given as"},
		{"ftp://ann:s3cret@proxy.example", "", "not ftp://"},
		{"http://", "", "host is missing"},
		{"http://ann:s3%zzcret@proxy.example", "", "no URL"},
		{"http://proxy.example/s3cret", "", "nothing after"},
		{"http://proxy.example:99999", "", "port"},
		{"http://:s3cret@proxy.example", "", "no user"},
		{"http://a%3Ab:s3cret@proxy.example", "", "colon"},
		{"socks5://" + strings.Repeat("a", 256) + ":s3cret@proxy.example", "", "255"},
	} {
		p, err := Parse(c.in)
		switch {
		case c.wrong == "" && (err != nil || p.String() != c.out):
			t.Errorf("Parse(%q) = %v, %v, want %s", c.in, p, err, c.out)
		case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
			t.Errorf("Parse(%q): %v, want %q", c.in, err, c.wrong)
		case err != nil && strings.Contains(err.Error(), "s3"):
			t.Errorf("Parse(%q) tells the password: %v", c.in, err)
		}
	}
}

// echo is a target that repeats what it is told; its address.
func echo(t *testing.T) string {
	l := listen(t, func(c net.Conn) { io.Copy(c, c) })
	return l.Addr().String()
}

// listen serves connections with f until the test ends.
func listen(t *testing.T, f func(net.Conn)) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })()
				f(c)
			})
		}
	})
	t.Cleanup(func() {
		cancel()
		l.Close()
		running.Wait()
	})
	return l
}

// relay copies between two connections until one ends.
func relay(a, b net.Conn) {
	var both sync.WaitGroup
	both.Go(func() {
		io.Copy(a, b)
		a.SetDeadline(time.Unix(1, 0))
	})
	io.Copy(b, a)
	b.SetDeadline(time.Unix(1, 0))
	both.Wait()
}

// socksServer is a SOCKS 5 proxy: with a login where login is not "", and one that
// answers each request with reply where that is not 0.
func socksServer(t *testing.T, login string, reply byte) (address string, asked func() string) {
	var mu sync.Mutex
	var target string
	l := listen(t, func(c net.Conn) {
		br := bufio.NewReader(c)
		head := make([]byte, 2)
		io.ReadFull(br, head)
		methods := make([]byte, head[1])
		io.ReadFull(br, methods)
		method := byte(methodNone)
		if login != "" {
			method = methodUser
		}
		if !strings.Contains(string(methods), string(rune(method))) {
			c.Write([]byte{5, methodNoMatch})
			return
		}
		c.Write([]byte{5, method})
		if login != "" {
			io.ReadFull(br, head)
			user := make([]byte, head[1])
			io.ReadFull(br, user)
			n, _ := br.ReadByte()
			password := make([]byte, n)
			io.ReadFull(br, password)
			if string(user)+":"+string(password) != login {
				c.Write([]byte{1, 1})
				return
			}
			c.Write([]byte{1, 0})
		}
		request := make([]byte, 4)
		io.ReadFull(br, request)
		var host string
		switch request[3] {
		case typeIPv4, typeIPv6:
			b := make([]byte, map[byte]int{typeIPv4: 4, typeIPv6: 16}[request[3]])
			io.ReadFull(br, b)
			host = net.IP(b).String()
		case typeName:
			n, _ := br.ReadByte()
			b := make([]byte, n)
			io.ReadFull(br, b)
			host = string(b)
		}
		port := make([]byte, 2)
		io.ReadFull(br, port)
		mu.Lock()
		target = host
		mu.Unlock()
		if reply != 0 {
			c.Write([]byte{5, reply, 0, 1, 0, 0, 0, 0, 0, 0})
			return
		}
		up, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", fmtPort(port)))
		if err != nil {
			return
		}
		defer up.Close()
		// A reply with a name, and the target's first octets in the same packet.
		c.Write(append([]byte{5, 0, 0, typeName, 3}, "me.\x00\x00"...))
		relay(c, up)
	})
	return l.Addr().String(), func() string {
		mu.Lock()
		defer mu.Unlock()
		return target
	}
}

func fmtPort(b []byte) string { return strconv.Itoa(int(binary.BigEndian.Uint16(b))) }

// says checks that a connection through p to address repeats what it is told.
func says(t *testing.T, p *Proxy, address string) {
	t.Helper()
	conn, err := p.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "hello"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 5)
	if _, err := io.ReadFull(conn, b); err != nil || string(b) != "hello" {
		t.Errorf("through %s came %q, %v", p, b, err)
	}
}

func parsed(t *testing.T, s string) *Proxy {
	t.Helper()
	p, err := Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestSOCKS_CarriesNamesAndAddresses(t *testing.T) {
	_, port, _ := net.SplitHostPort(echo(t))
	at, asked := socksServer(t, "", 0)
	withLogin, _ := socksServer(t, "ann:s3cret", 0)
	for _, host := range []string{"127.0.0.1", "::1", "mail.example.org", "bücher.example", "under_score.example"} {
		says(t, parsed(t, "socks5://"+at), net.JoinHostPort(host, port))
		want := host
		if host == "bücher.example" {
			want = "xn--bcher-kva.example"
		}
		if got := asked(); got != want {
			t.Errorf("the proxy was asked for %q, want %q", got, want)
		}
		says(t, parsed(t, "socks5h://ann:s3cret@"+withLogin), net.JoinHostPort(host, port))
		says(t, parsed(t, "socks5h://ann@"+withLogin).WithPassword(func() (string, error) { return "s3cret", nil }), net.JoinHostPort(host, port))
	}
}

// failure dials and returns the *Error.
func failure(t *testing.T, ctx context.Context, p *Proxy) *Error {
	t.Helper()
	conn, err := p.DialContext(ctx, "tcp", "mail.example.org:587")
	var e *Error
	if !errors.As(err, &e) {
		if conn != nil {
			conn.Close()
		}
		t.Fatalf("%s: %v, want an *Error", p, err)
	}
	if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the error tells the password: %v", err)
	}
	return e
}

// A proxy's refusal is told from that of the target. RFC 1928 §6, 9110 §15.
func TestDial_TellsTheProxysRefusalFromTheTargets(t *testing.T) {
	socks := func(login string, reply byte) string {
		at, _ := socksServer(t, login, reply)
		return at
	}
	web := func(status int, header string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if header != "" {
				w.Header().Set("Proxy-Authenticate", header)
			}
			w.WriteHeader(status)
		}))
		t.Cleanup(s.Close)
		return strings.TrimPrefix(s.URL, "http://")
	}
	other := func(text string) string {
		return listen(t, func(c net.Conn) { io.WriteString(c, text); io.Copy(io.Discard, c) }).Addr().String()
	}
	gone := listen(t, func(net.Conn) {})
	gone.Close()
	for _, c := range []struct {
		url   string
		kind  Kind
		cause cause.ID
		errno error
		has   string
	}{
		{"socks5://" + socks("", 1), Target, "net.refused", nil, "reply 1"},
		{"socks5://" + socks("", 2), Forbidden, "net.proxy-refused", nil, "ruleset"},
		{"socks5://" + socks("", 3), Target, "net.unreachable", syscall.ENETUNREACH, "reply 3"},
		{"socks5://" + socks("", 4), Target, "net.unreachable", syscall.EHOSTUNREACH, "reply 4"},
		{"socks5://" + socks("", 5), Target, "net.refused", syscall.ECONNREFUSED, "reply 5"},
		{"socks5://" + socks("", 6), Target, "net.timeout", syscall.ETIMEDOUT, "reply 6"},
		{"socks5://" + socks("", 7), Forbidden, "net.proxy-refused", nil, "command"},
		{"socks5://" + socks("", 8), Forbidden, "net.proxy-refused", nil, "address type"},
		{"socks5://" + socks("ann:s3cret", 0), Login, "net.proxy-refused", nil, "wants a user name"},
		{"socks5://ann:s3cret9@" + socks("ann:s3cret", 0), Login, "net.proxy-refused", nil, "wrong"},
		{"socks5://" + other("HTTP/1.1 400 Bad Request\r\n\r\n"), Protocol, "net.proxy-refused", nil, "SOCKS 5"},
		{"socks5://" + gone.Addr().String(), Unreachable, "net.proxy-refused", nil, "refused"},
		{"http://" + web(407, `Basic realm="x"`), Login, "net.proxy-refused", nil, "wants a user name"},
		{"http://ann:s3cret@" + web(407, `Basic realm="x"`), Login, "net.proxy-refused", nil, "wrong"},
		{"http://ann:s3cret@" + web(407, `NTLM`), Login, "net.proxy-refused", nil, "but NTLM"},
		{"http://" + web(403, ""), Forbidden, "net.proxy-refused", nil, "403"},
		{"http://" + web(405, ""), Forbidden, "net.proxy-refused", nil, "405"},
		{"http://" + web(502, ""), Target, "net.refused", nil, "502"},
		{"http://" + web(503, ""), Target, "net.refused", nil, "503"},
		{"http://" + web(504, ""), Target, "net.timeout", syscall.ETIMEDOUT, "504"},
		{"http://" + other("220 mail.example.org ESMTP\r\n"), Protocol, "net.proxy-refused", nil, "HTTP"},
		{"http://" + other("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", maxAnswer)), Unreachable, "net.proxy-refused", nil, "closed"},
		{"https://" + web(403, ""), Unreachable, "net.proxy-refused", nil, "TLS"},
	} {
		e := failure(t, t.Context(), parsed(t, c.url))
		if id, _ := e.Cause(); e.Kind != c.kind || id != c.cause || !strings.Contains(e.Error(), c.has) {
			t.Errorf("%s: %s, %s, %v; want %s, %s, %q", c.url, e.Kind, id, e, c.kind, c.cause, c.has)
		}
		if c.errno != nil && !errors.Is(e, c.errno) {
			t.Errorf("%s: %v is not %v", c.url, e, c.errno)
		}
		if c.kind != Target && errors.Is(e, syscall.ECONNREFUSED) {
			t.Errorf("%s: the refusal of the proxy is taken for the target's", c.url)
		}
	}
}

func TestDial_TheTimeIsBounded(t *testing.T) {
	silent := listen(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	for scheme, kind := range map[string]Kind{"socks5": Unreachable, "http": Target, "https": Unreachable} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		e := failure(t, ctx, parsed(t, scheme+"://"+silent.Addr().String()))
		cancel()
		if e.Kind != kind {
			t.Errorf("%s: %s: %v, want %s", scheme, e.Kind, e, kind)
		}
	}
}

func TestDial_PasswordFileIsReadEachTime(t *testing.T) {
	_, port, _ := net.SplitHostPort(echo(t))
	at, _ := socksServer(t, "ann:s3cret", 0)
	password, broken := "old", error(nil)
	p := parsed(t, "socks5://ann@"+at).WithPassword(func() (string, error) { return password, broken })
	if e := failure(t, t.Context(), p); e.Kind != Login {
		t.Errorf("with the old password: %v", e)
	}
	password = "s3cret"
	says(t, p, "127.0.0.1:"+port)
	broken = errors.New("no such file")
	if e := failure(t, t.Context(), p); e.Kind != Login || !strings.Contains(e.Error(), "no such file") {
		t.Errorf("without the file: %v", e)
	}
}

// connectHandler is an HTTP proxy with a login that sends what the target says in
// one packet with its own answer.
func connectHandler(t *testing.T, login string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		want := "Basic " + base64.StdEncoding.EncodeToString([]byte(login))
		if r.Method != http.MethodConnect || r.Header.Get("Proxy-Authorization") != want {
			w.Header().Set("Proxy-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n220 "+r.Host+"\r\n")
		io.Copy(io.Discard, c)
	})
}

func TestHTTP_CarriesWhatComesWithTheAnswer(t *testing.T) {
	clear := httptest.NewServer(connectHandler(t, "ann:s3c:ret"))
	t.Cleanup(clear.Close)
	secure := httptest.NewUnstartedServer(connectHandler(t, "ann:s3c:ret"))
	secure.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	secure.StartTLS()
	t.Cleanup(secure.Close)
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	for _, url := range []string{clear.URL, secure.URL} {
		scheme, at, _ := strings.Cut(url, "://")
		p := parsed(t, scheme+"://ann:s3c%3Aret@"+at).WithRoots(roots)
		conn, err := p.DialContext(t.Context(), "tcp", "[2001:db8::1]:587")
		if err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(conn).ReadString('\n')
		if line != "220 [2001:db8::1]:587\r\n" {
			t.Errorf("%s: %q, %v", url, line, err)
		}
		conn.Close()
	}
}

func TestDial_NoInjection(t *testing.T) {
	at, _ := socksServer(t, "", 0)
	for _, scheme := range []string{"socks5", "http"} {
		p := parsed(t, scheme+"://"+at)
		for _, host := range []string{"a b", "a\r\nX: y", "a\x00b", "", "a/b"} {
			if conn, err := p.DialContext(t.Context(), "tcp", net.JoinHostPort(host, "25")); err == nil {
				conn.Close()
				t.Errorf("%s: %q is taken for a host", scheme, host)
			}
		}
	}
}

func TestFromEnvironment(t *testing.T) {
	for _, c := range []struct {
		env  string // NAME=value, with blanks between
		host string
		want string // variable and URL, with blanks between
	}{
		{"", "mail.example.org", ""},
		{"ALL_PROXY=socks5://p:1 HTTPS_PROXY=http://p:2 HTTP_PROXY=http://p:3", "mail.example.org", "ALL_PROXY socks5://p:1 HTTPS_PROXY http://p:2 HTTP_PROXY http://p:3"},
		{"https_proxy=http://p:1 HTTPS_PROXY=http://p:2", "mail.example.org", "https_proxy http://p:1"},
		{"HTTPS_PROXY=p:3128", "mail.example.org", "HTTPS_PROXY http://p:3128"},
		{"HTTPS_PROXY=http://p:1 ALL_PROXY=http://p:1", "mail.example.org", "ALL_PROXY http://p:1"},
		{"HTTP_PROXY=http://p:1 REQUEST_METHOD=GET", "mail.example.org", ""},
		{"http_proxy=http://p:1 REQUEST_METHOD=GET", "mail.example.org", "http_proxy http://p:1"},
		{"HTTPS_PROXY=http://p:1 NO_PROXY=example.org", "mail.example.org", ""},
		{"HTTPS_PROXY=http://p:1 no_proxy=.example.org", "mail.example.org", ""},
		{"HTTPS_PROXY=http://p:1 no_proxy=.example.org", "example.org", "HTTPS_PROXY http://p:1"},
		{"HTTPS_PROXY=http://p:1 NO_PROXY=10.0.0.0/8", "10.1.2.3", ""},
		{"HTTPS_PROXY=http://p:1 NO_PROXY=mail.example.org:25", "mail.example.org", "HTTPS_PROXY http://p:1"},
		{"HTTPS_PROXY=http://p:1 NO_PROXY=*", "mail.example.org", ""},
		{"HTTPS_PROXY=http://p:1", "localhost", ""},
		{"HTTPS_PROXY=http://p:1", "127.0.0.1", ""},
		{"HTTPS_PROXY=gopher://p:1", "mail.example.org", ""},
	} {
		env := map[string]string{}
		for _, v := range strings.Fields(c.env) {
			name, value, _ := strings.Cut(v, "=")
			env[name] = value
		}
		found, wrong := FromEnvironment(func(k string) string { return env[k] }, c.host, 587)
		var got []string
		for _, f := range found {
			got = append(got, f.Variable, f.String())
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s for %s: %q, want %q", c.env, c.host, got, c.want)
		}
		if strings.Contains(c.env, "gopher") && len(wrong) != 1 {
			t.Errorf("%s: wrong %v", c.env, wrong)
		}
	}
}

// answering is a connection to a proxy that answers with set octets.
type answering struct {
	net.Conn
	r io.Reader
}

func (c answering) Read(p []byte) (int, error)  { return c.r.Read(p) }
func (c answering) Write(p []byte) (int, error) { return len(p), nil }
func (c answering) SetDeadline(time.Time) error { return nil }

// What a proxy answers is foreign: it ends in a connection or an *Error with a
// cause, and what follows a good answer is what the target said.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{"\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x19220 x", "\x05\x02\x01\x00\x05\x05\x00\x03\x02ab\x00\x00", "\x05\xff",
		"HTTP/1.1 200 OK\r\n\r\n220 x", "HTTP/1.1 407 \x1b[31m\r\nProxy-Authenticate: NTLM\r\n\r\n", "HTTP/1.0 503 x\r\nContent-Length: 5\r\n\r\nabcde"} {
		f.Add([]byte(s))
	}
	var all []*Proxy
	for _, s := range []string{"socks5://127.0.0.1", "socks5://ann:s3cret@127.0.0.1", "http://127.0.0.1", "http://ann:s3cret@127.0.0.1"} {
		p, err := Parse(s)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, p)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, p := range all {
			conn, err := p.ask(context.Background(), answering{r: bytes.NewReader(b)}, "mail.example.org:25", p.password)
			var e *Error
			switch {
			case err == nil:
				rest, _ := io.ReadAll(conn)
				if !bytes.HasSuffix(b, rest) {
					t.Fatalf("%s: %q is left of %q", p, rest, b)
				}
			case !errors.As(err, &e):
				t.Fatalf("%s: %v is no *Error", p, err)
			default:
				if id, _ := e.Cause(); id == "" || strings.ContainsAny(e.Status, "\x00\x1b\r\n") {
					t.Fatalf("%s: cause %q, status %q", p, id, e.Status)
				}
			}
		}
	})
}
