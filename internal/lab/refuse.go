package lab

import (
	"context"
	"errors"
	"net"
)

// refusal is a port at which nothing listens, kept from others: it is one end of
// a connection of our own, so a further connection to it is refused, and the
// system gives it to nobody else.
type refusal struct {
	address string
	held    []net.Conn
}

// refuse takes a port at which connections are refused.
func refuse(address string) (*refusal, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	local, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, err
	}
	defer l.Close()
	to := l.Addr().(*net.TCPAddr)
	if to.IP.IsUnspecified() {
		return nil, errors.New("a port that refuses needs an address to do it at")
	}
	near, err := (&net.Dialer{LocalAddr: local}).Dial("tcp", to.String())
	if err != nil {
		return nil, err
	}
	far, err := l.Accept()
	if err != nil {
		near.Close()
		return nil, err
	}
	return &refusal{address: near.LocalAddr().String(), held: []net.Conn{near, far}}, nil
}

func (r *refusal) close() {
	for _, c := range r.held {
		c.Close()
	}
}
