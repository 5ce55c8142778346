package doctor

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/proxy"
)

// fakeProxy is an HTTP proxy that carries connections, or refuses with a status.
func fakeProxy(t *testing.T, refuse int) (address string, asked func() []string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	var mu sync.Mutex
	var hosts []string
	t.Cleanup(func() {
		cancel()
		l.Close()
		running.Wait()
	})
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })()
				req, err := http.ReadRequest(bufio.NewReader(c))
				if err != nil || req.Method != http.MethodConnect {
					return
				}
				mu.Lock()
				hosts = append(hosts, req.Host)
				mu.Unlock()
				if refuse != 0 {
					io.WriteString(c, "HTTP/1.1 "+strconv.Itoa(refuse)+" "+http.StatusText(refuse)+"\r\n\r\n")
					return
				}
				_, port, _ := net.SplitHostPort(req.Host)
				up, err := net.Dial("tcp", "127.0.0.1:"+port)
				if err != nil {
					return
				}
				defer up.Close()
				defer context.AfterFunc(ctx, func() { up.SetDeadline(time.Unix(1, 0)) })()
				io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
				done := make(chan struct{})
				go func() { // ends with the connections
					io.Copy(up, c)
					up.(*net.TCPConn).CloseWrite()
					close(done)
				}()
				io.Copy(c, up)
				c.(*net.TCPConn).CloseWrite()
				<-done
			})
		}
	})
	return "http://" + l.Addr().String(), func() []string {
		mu.Lock()
		defer mu.Unlock()
		return hosts
	}
}

func parseProxy(t *testing.T, s string) *proxy.Proxy {
	t.Helper()
	p, err := proxy.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRun_Proxy(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	e := well(t, a).start(t)
	through, asked := fakeProxy(t, 0)
	q := Question{Host: "mail.example.org", Port: e.Port, Roots: a.pool, Proxy: parseProxy(t, through), User: testUser, Password: testPassword}
	if r := ask(t, q, ""); r.Works.Proxy != through {
		t.Errorf("works by %+v, want the proxy %s", r.Works, through)
	}
	want := "mail.example.org:" + strconv.Itoa(e.Port)
	if got := asked(); len(got) != 1 || got[0] != want {
		t.Errorf("the proxy was asked for %q, want %q once", got, want)
	}
	for status, id := range map[int]cause.ID{
		http.StatusForbidden: "net.proxy-refused", http.StatusProxyAuthRequired: "net.proxy-refused",
		http.StatusBadGateway: "net.refused", http.StatusGatewayTimeout: "net.timeout",
	} {
		through, _ := fakeProxy(t, status)
		q.Proxy = parseProxy(t, through)
		ask(t, q, id)
	}
	q.Proxy = parseProxy(t, "socks5://"+refusedPort(t, "127.0.0.1").String())
	ask(t, q, "net.proxy-refused")
}

// Where the server is not reached directly, and is through the environment's proxy,
// mail has to go that way. What the proxy refuses changes nothing about the cause.
func TestRun_ProxyOfTheEnvironment(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	e := well(t, a).start(t)
	works, _ := fakeProxy(t, 0)
	refuses, _ := fakeProxy(t, http.StatusForbidden)
	secret := strings.Replace(works, "http://", "http://ann:s3cret-of-the-proxy@", 1)
	for name, c := range map[string]struct {
		zone string
		env  map[string]string
		want cause.ID
	}{
		"not reached":                {"mail.example.org. 60 IN A 127.0.0.9", map[string]string{"HTTPS_PROXY": secret}, "net.port-blocked"},
		"no names here":              {"", map[string]string{"https_proxy": works}, "net.port-blocked"},
		"the second proxy works":     {"mail.example.org. 60 IN A 127.0.0.9", map[string]string{"ALL_PROXY": refuses, "HTTPS_PROXY": works}, "net.port-blocked"},
		"the proxy refuses":          {"mail.example.org. 60 IN A 127.0.0.9", map[string]string{"ALL_PROXY": refuses}, "net.refused"},
		"excepted":                   {"mail.example.org. 60 IN A 127.0.0.9", map[string]string{"ALL_PROXY": works, "NO_PROXY": "example.org"}, "net.refused"},
		"reached, and so not needed": {"mail.example.org. 60 IN A 127.0.0.1", map[string]string{"ALL_PROXY": refuses}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := Question{Host: "mail.example.org", Port: e.Port, Roots: a.pool, Environ: func(k string) string { return c.env[k] }}
			q.at(zone(t, c.zone))
			r := ask(t, q, c.want)
			b, err := json.Marshal(r)
			if err != nil || strings.Contains(string(b), "s3cret-of-the-proxy") {
				t.Errorf("the report tells the proxy's password: %s, %v", b, err)
			}
			if c.want == "net.port-blocked" && (r.Works.Proxy == "" || r.Works.Port != e.Port) {
				t.Errorf("works by %+v, want the proxy", r.Works)
			}
		})
	}
}

// A firewall takes the connection and breaks it before a word is said.
func TestRun_ProxyWhereConnectionsAreBroken(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	e := well(t, a).start(t)
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.9", strconv.Itoa(e.Port)))
	if err != nil {
		t.Skip(err) // somebody has the port
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	})
	t.Cleanup(func() {
		l.Close()
		running.Wait()
	})
	works, _ := fakeProxy(t, 0)
	q := Question{Host: "mail.example.org", Port: e.Port, Roots: a.pool, Environ: func(k string) string { return map[string]string{"HTTPS_PROXY": works}[k] }}
	q.at(zone(t, "mail.example.org. 60 IN A 127.0.0.9"))
	if r := ask(t, q, "net.port-blocked"); r.Findings[0].Confidence != explain.Likely {
		t.Errorf("it is %s", r.Findings[0].Confidence)
	}
	q.Environ = nil
	ask(t, q, "net.connection-lost")
}
