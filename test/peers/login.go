package peers

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
)

// serveLogins answers Postfix's questions about one account on a unix socket, in
// place of Dovecot: Postfix's other way, Cyrus SASL, looks for its passwords in
// /etc, which is not ours to write. close ends it.
func serveLogins(path, user, password string) (close func(), err error) {
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen for Postfix's logins: %w", err)
	}
	if err := os.Chmod(path, 0o666); err != nil { // smtpd asks as another user
		l.Close()
		return nil, err
	}
	s := &loginServer{plain: []byte("\x00" + user + "\x00" + password), user: user, password: password, conns: map[net.Conn]struct{}{}}
	s.wait.Go(func() { s.accept(l) })
	return func() {
		l.Close()
		s.mu.Lock()
		for c := range s.conns {
			c.Close()
		}
		s.conns = nil
		s.mu.Unlock()
		s.wait.Wait()
	}, nil
}

type loginServer struct {
	plain          []byte // what a right AUTH PLAIN says
	user, password string
	wait           sync.WaitGroup

	mu    sync.Mutex // guards conns
	conns map[net.Conn]struct{}
}

func (s *loginServer) accept(l net.Listener) {
	for id := 1; ; id++ {
		c, err := l.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.conns == nil {
			s.mu.Unlock()
			c.Close()
			return
		}
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		s.wait.Go(func() {
			s.serve(c, id)
			c.Close()
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.conns, c)
		})
	}
}

// serve speaks the server's side of the Dovecot authentication protocol 1.1.
func (s *loginServer) serve(c net.Conn, id int) {
	fmt.Fprintf(c, "VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\nSPID\t%d\nCUID\t%d\nCOOKIE\t%032x\nDONE\n", os.Getpid(), id, id)
	users := map[string]string{} // of LOGIN exchanges in hand: what they said after "Username:"
	r := bufio.NewScanner(c)
	for r.Scan() {
		f := strings.Split(r.Text(), "\t")
		if len(f) < 3 {
			continue // VERSION and CPID ask for no answer
		}
		switch {
		case f[0] == "AUTH" && f[2] == "PLAIN":
			s.verdict(c, f[1], bytes.Equal(decoded(response(f)), s.plain))
		case f[0] == "AUTH" && f[2] == "LOGIN":
			users[f[1]] = ""
			fmt.Fprintf(c, "CONT\t%s\t%s\n", f[1], base64.StdEncoding.EncodeToString([]byte("Username:")))
		case f[0] == "CONT" && users[f[1]] == "":
			users[f[1]] = string(decoded(f[2]))
			fmt.Fprintf(c, "CONT\t%s\t%s\n", f[1], base64.StdEncoding.EncodeToString([]byte("Password:")))
		case f[0] == "CONT":
			s.verdict(c, f[1], users[f[1]] == s.user && string(decoded(f[2])) == s.password)
			delete(users, f[1])
		}
	}
}

func (s *loginServer) verdict(c net.Conn, id string, right bool) {
	if right {
		fmt.Fprintf(c, "OK\t%s\tuser=%s\n", id, s.user)
		return
	}
	fmt.Fprintf(c, "FAIL\t%s\tuser=%s\n", id, s.user)
}

// response returns the initial response of an AUTH line.
func response(fields []string) string {
	for _, f := range fields {
		if r, ok := strings.CutPrefix(f, "resp="); ok {
			return r
		}
	}
	return ""
}

func decoded(s string) []byte {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil
	}
	return b
}
