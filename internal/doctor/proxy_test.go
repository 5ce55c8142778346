package doctor

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"
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

func TestRun_Proxy(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	e := well(t, a).start(t)
	through, asked := fakeProxy(t, 0)
	q := Question{Host: "mail.example.org", Port: e.Port, Roots: a.pool, Proxy: through, User: testUser, Password: testPassword}
	ask(t, q, "")
	want := "mail.example.org:" + strconv.Itoa(e.Port)
	if got := asked(); len(got) != 1 || got[0] != want {
		t.Errorf("the proxy was asked for %q, want %q once", got, want)
	}
	q.Proxy, _ = fakeProxy(t, http.StatusForbidden)
	ask(t, q, "net.proxy-refused")
	q.Proxy = "socks5://" + refusedPort(t, "127.0.0.1").String()
	ask(t, q, "net.proxy-refused")
}
