package smtpserver

import (
	"errors"
	"net"
	"sync"
	"time"
)

// errInterrupted ends the wait for a command because the server is stopping.
var errInterrupted = errors.New("the server is stopping")

// timedConn gives each read and write a deadline, and lets Shutdown end a wait
// that may be ended.
type timedConn struct {
	net.Conn
	write time.Duration // immutable

	mu            sync.Mutex    // guards the fields below
	read          time.Duration // how long the next read may take
	until         time.Time     // no read lasts longer than this; zero: no bound
	interruptible bool          // the session waits for a command outside a transaction
	interrupted   bool          // Shutdown was called
}

// expect sets how long the next reads may wait, and whether Shutdown may end them.
func (c *timedConn) expect(d time.Duration, interruptible bool) {
	c.mu.Lock()
	c.read, c.interruptible = d, interruptible
	c.mu.Unlock()
}

// bound sets the instant that no read passes; zero takes the bound away.
func (c *timedConn) bound(until time.Time) {
	c.mu.Lock()
	c.until = until
	c.mu.Unlock()
}

// stopping reports whether Shutdown was called.
func (c *timedConn) stopping() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.interrupted
}

// interrupt ends a read that may be ended, now and from now on.
func (c *timedConn) interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.interrupted = true
	if c.interruptible {
		c.Conn.SetReadDeadline(time.Unix(1, 0)) // long past
	}
}

// Read reads within the time that expect has set.
func (c *timedConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	if c.interrupted && c.interruptible {
		c.mu.Unlock()
		return 0, errInterrupted
	}
	deadline := time.Now().Add(c.read)
	if !c.until.IsZero() && c.until.Before(deadline) {
		deadline = c.until
	}
	c.Conn.SetReadDeadline(deadline)
	c.mu.Unlock()
	n, err := c.Conn.Read(p)
	if err != nil && c.stopping() && isTimeout(err) {
		err = errInterrupted
	}
	return n, err
}

// Write writes within the time for a reply.
func (c *timedConn) Write(p []byte) (int, error) {
	c.Conn.SetWriteDeadline(time.Now().Add(c.write))
	return c.Conn.Write(p)
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}
