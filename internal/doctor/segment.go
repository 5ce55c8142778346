package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/smtpclient"
)

// smallSegment is the size of segments, in octets, that every path takes: the
// smallest packet that hosts must accept, less the headers. RFC 1191 §3, 9293
// §3.7.1.
const smallSegment = 536

// stalled reports whether a conversation that had begun fell silent where packets
// get large: in the handshake, in which certificates are sent, or at EHLO under it.
func (t *Talk) stalled() bool {
	if t == nil || t.Failure == nil {
		return false
	}
	if errors.Is(t.Failure.Err, smtpclient.ErrGivenUp) {
		return t.Failure.Stage == evidence.StageTLS && t.First == 0 // it was waited for, and another got further meanwhile
	}
	if t.Failure.Origin != evidence.OriginNetwork || !isTimeout(t.Failure.Err) {
		return false
	}
	return t.Failure.Stage == evidence.StageTLS || t.Failure.Stage == evidence.StageEHLO
}

// passed reports whether the server's side of a TLS handshake came through.
func (t *Talk) passed() bool { return t != nil && (t.well() || t.TLS != "" || t.VerifyError != nil) }

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// dialSmall opens a connection on which neither side sends segments larger than
// smallSegment.
func (r *run) dialSmall(ctx context.Context, at Endpoint, a netip.Addr) (net.Conn, error) {
	d := net.Dialer{Control: smallSegments}
	return d.DialContext(ctx, "tcp", net.JoinHostPort(a.String(), strconv.Itoa(at.Port)))
}

// blackHole judges a path on which small packets pass and large ones vanish. RFC
// 2923 §2.1.
func (j *judge) blackHole() *Finding {
	t, small := j.f.talk(talkTarget), j.f.talk(talkSmall)
	if !t.stalled() || small == nil || !furtherThan(small, t) {
		return nil // small segments change nothing
	}
	return j.find("net.mtu-black-hole", explain.Certain,
		fmt.Sprintf("the conversation begins and stalls at stage %s, where packets get large: %s", t.Failure.Stage, errorText(t.Failure.Err)),
		fmt.Sprintf("with segments of no more than %d octets it goes on, tried just now: %s", smallSegment, small.inWords()))
}

// furtherThan reports whether a conversation got past the point at which another
// has stalled.
func furtherThan(t, stalled *Talk) bool {
	switch {
	case t.well():
		return true
	case stalled.TLS == "": // in the handshake, or before
		return t.TLS != "" || t.VerifyError != nil
	}
	return t.Failure.Stage == evidence.StageEHLO && !t.Failure.Reply.IsZero()
}
