package explain

import (
	"strings"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
)

// Error names a failure that smtpclient or deliver has seen: by its Cause where it
// has one, by the types of the underlying error, by the server's words, and where
// nothing is certain by the stage. It never returns a finding without a cause,
// save for nil.
func Error(err *evidence.Error, f Facts) Finding {
	if err == nil {
		return none()
	}
	f.Stage, f.Origin = err.Stage, err.Origin
	if f.Host == "" {
		f.Host = err.Host
	}
	shown := what(err)
	if err.Cause != "" {
		return Known(err.Cause, f, shown)
	}
	// The reply of our own to a failure that has a type says less than the type.
	if id, alt, sure := typed(err.Err, f); id != "" && err.Origin != evidence.OriginRemote {
		x := known(id, f, err.Reply.Code, "")
		x.Confidence, x.Proof = sure, []string{proof(shown)}
		x.Alternatives = append(x.Alternatives, alt...)
		return x
	}
	if !err.Reply.IsZero() {
		x := judged(err.Reply.String(), f)
		if x.Cause == "" { // a reply that should not have been this one, such as 250 to DATA
			x = Known("protocol.syntax-error", f, shown)
			x.Confidence = Possible
		}
		x.Proof = []string{proof(shown)}
		return x
	}
	if err.Err != nil {
		if x := judged(err.Err.Error(), f); x.Cause != "" {
			x.Proof = []string{proof(shown)}
			return x
		}
	}
	id, alt := byStage(f)
	x := known(id, f, 0, "")
	x.Confidence, x.Proof = Possible, []string{proof(shown)}
	x.Alternatives = append(x.Alternatives, alt...)
	return x
}

// what returns the words of a failure.
func what(err *evidence.Error) string {
	switch {
	case !err.Reply.IsZero():
		return err.Reply.String()
	case err.Err != nil:
		return err.Err.Error()
	}
	return string(err.Stage)
}

// judged judges one text, which is known to be of the failure alone.
func judged(text string, f Facts) Finding {
	p := newPassage(text)
	return judge([]*passage{p}, p, f)
}

// Known returns the finding of a cause that is known already, with text as its
// proof. An id that the catalogue does not have, "" too, is judged by the text.
func Known(id cause.ID, f Facts, text string) Finding {
	text = strings.TrimSpace(text)
	if _, ok := cause.Lookup(id); !ok {
		if text == "" {
			return none()
		}
		x := judged(text, f)
		if x.Cause != "" {
			x.Proof = []string{proof(text)}
		}
		return x
	}
	r, _ := codes(text)
	x := known(id, f, r.Code, lower(text))
	if text != "" {
		x.Proof = append(x.Proof, proof(text))
	}
	return x
}

// known returns the finding of a cause of the catalogue.
func known(id cause.ID, f Facts, code int, flat string) Finding {
	x := none()
	x.Cause, x.Confidence, x.Recipient = id, Certain, f.Recipient
	c, ok := cause.Lookup(id)
	if !ok {
		return x
	}
	t := c.Fill(f.fill())
	x.Title, x.Actor, x.Retry, x.Why, x.Do = t.Title, c.Actor, retry(c, code, flat), t.Why, t.Do
	return x
}

// byStage is the last answer: what a failure at a stage mostly is.
func byStage(f Facts) (cause.ID, []cause.ID) {
	switch f.Stage {
	case evidence.StageResolve:
		if f.FromServer {
			return "delivery.dns-failed", nil
		}
		return "dns.lookup-failed", nil
	case evidence.StageConnect:
		if f.FromServer {
			return "delivery.host-unreachable", nil
		}
		return "net.timeout", []cause.ID{"net.refused", "net.unreachable"}
	case evidence.StageTLS, evidence.StageStartTLS:
		if f.FromServer {
			return "tls.delivery-policy", []cause.ID{"tls.handshake-failed"}
		}
		return "tls.handshake-failed", nil
	case evidence.StageAuth:
		return "auth.malformed-exchange", []cause.ID{"auth.server-failure"}
	case evidence.StageClient:
		return "client.bad-configuration", nil
	}
	if f.FromServer {
		return "delivery.host-unreachable", nil
	}
	return "net.connection-lost", []cause.ID{"server.temporary-failure"}
}
