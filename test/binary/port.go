package binary

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/wellsent/wellsent/test/peers"
)

func freePort() (int, error) { return peers.FreePort() }

// listening reports whether a server greets at address.
func listening(kind, address string) bool {
	d := &net.Dialer{Timeout: 2 * time.Second}
	var c net.Conn
	var err error
	if kind == "submissions" {
		c, err = tls.DialWithDialer(d, "tcp", address, &tls.Config{InsecureSkipVerify: true}) // whether it is there, not who it is
	} else {
		c, err = d.Dial("tcp", address)
	}
	if err != nil {
		return false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	b := make([]byte, 512)
	n, err := c.Read(b)
	if err != nil || !bytes.HasPrefix(b[:n], []byte("220")) {
		return false
	}
	fmt.Fprint(c, "QUIT\r\n")
	c.Read(b)
	return true
}
