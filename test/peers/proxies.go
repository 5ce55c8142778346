package peers

import (
	"context"
	"path/filepath"
)

// ProxyUser and ProxyPassword are the login at a proxy that wants one. Dante takes
// the users of the system, and looks at a hash: that of this very password.
const (
	ProxyUser     = "proxyuser"
	ProxyPassword = "proxy s3cret:pass"
	proxyHash     = "$6$wellsent$1kwGK.7E8H/eSPrViFIjx3XiusZFcVQrT39Daa4uOCg4a7zrlGnEfQv3Ki6R0hnRnrPpzFGPic1XV4.6.mSio0"
	// TinyproxyPassword is that at tinyproxy, whose configuration has no quotes.
	TinyproxyPassword = "proxy-s3cret"
)

// ProxyOptions are how a proxy is started.
type ProxyOptions struct {
	Listen  string   // its address; "": 127.0.0.1
	Only    []string // the only ports that it connects to; none: all. Of tinyproxy
	Blocked []string // ports that it does not connect to. Of Dante
	Login   bool     // ProxyUser must log in
	Hosts   string   // its hosts file; "": the machine's
}

func (o *ProxyOptions) listen() string {
	if o.Listen == "" {
		return "127.0.0.1"
	}
	return o.Listen
}

// StartTinyproxy starts an HTTP proxy that makes connections to ports only.
func (t *Tree) StartTinyproxy(ctx context.Context, ports ...string) (*Server, error) {
	return t.StartTinyproxyWith(ctx, ProxyOptions{Only: ports})
}

// StartTinyproxyWith starts an HTTP proxy. Hosts is for root only.
func (t *Tree) StartTinyproxyWith(ctx context.Context, o ProxyOptions) (*Server, error) {
	conf := "Port {port}\nListen {host}\nTimeout 60\nMaxClients 20\nLogLevel Info\n"
	for _, p := range o.Only {
		conf += "ConnectPort " + p + "\n"
	}
	if o.Login {
		conf += "BasicAuth " + ProxyUser + " " + TinyproxyPassword + "\n"
	}
	s, err := serviceAt("tinyproxy", o.listen(), map[string]string{"tinyproxy.conf": conf, "hosts": o.Hosts})
	if err != nil {
		return nil, err
	}
	args := []string{"-d", "-c", filepath.Join(s.dir, "tinyproxy.conf")}
	if o.Hosts != "" {
		return t.runInRoom(ctx, s, "", "mount --bind "+s.dir+"/hosts /etc/hosts", "/usr/bin/tinyproxy", args...)
	}
	return t.run(ctx, s, "usr/bin/tinyproxy", args...)
}

// StartDante starts a SOCKS proxy that makes all connections but those to ports.
func (t *Tree) StartDante(ctx context.Context, blocked ...string) (*Server, error) {
	return t.StartDanteWith(ctx, ProxyOptions{Blocked: blocked})
}

// StartDanteWith starts a SOCKS proxy. Login and Hosts are for root only.
func (t *Tree) StartDanteWith(ctx context.Context, o ProxyOptions) (*Server, error) {
	method := "none"
	if o.Login {
		method = "username"
	}
	conf := "logoutput: stderr\ninternal: {host} port = {port}\nexternal: {host}\nsocksmethod: " + method + "\nclientmethod: none\nuser.unprivileged: nobody\n"
	if o.Login {
		conf += "user.privileged: root\n" // for the hash
	}
	conf += "client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }\n"
	for _, p := range o.Blocked {
		conf += "socks block { from: 0.0.0.0/0 to: 0.0.0.0/0 port = " + p + " }\n"
	}
	conf += "socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }\n"
	hosts := o.Hosts
	if hosts == "" {
		hosts = "127.0.0.1 localhost\n"
	}
	s, err := serviceAt("dante", o.listen(), map[string]string{"danted.conf": conf, "hosts": hosts, "shadow": ProxyUser + ":" + proxyHash + ":20000:0:99999:7:::\n"})
	if err != nil {
		return nil, err
	}
	args := []string{"-f", filepath.Join(s.dir, "danted.conf"), "-p", filepath.Join(s.dir, "pid")}
	if o.Login || o.Hosts != "" {
		return t.runInRoom(ctx, s, ProxyUser, "mount --bind "+s.dir+"/hosts /etc/hosts\nmount --bind "+s.dir+"/shadow /etc/shadow", "/usr/sbin/danted", args...)
	}
	return t.run(ctx, s, "usr/sbin/danted", args...)
}
