package deliver

import (
	"errors"
	"slices"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtpclient"
)

// failure is one host's failure in an attempt. Its error has a cause.
type failure struct {
	err  *evidence.Error
	host host
	size int64 // octets of the message
}

// mayAsk reports whether next may be asked for mail after f, which came before the
// final dot. It goes by the cause: who is asked after whom must not depend on luck.
func mayAsk(f failure, next host) bool {
	err := f.err
	sameLogin := next.login == f.host.login && next.login != loginNone
	switch {
	case errors.Is(err, smtpclient.ErrGivenUp):
		return false // by ourselves
	case err.Stage == evidence.StageClient:
		return next.login != f.host.login // our own settings, such as a password file that cannot be read
	case err.Cause == "message.too-large":
		return next.smart && next.written != f.host.written && (next.maxBytes == 0 || f.size <= next.maxBytes) // each has its own limit
	case f.host.smart && err.Cause.Family() == "limit" && (f.host.isAPI() || !opening(err.Stage)):
		return false // what the provider allows is obeyed, not gone round
	case err.Stage == evidence.StageAuth && err.Cause == "auth.not-offered":
		return true // nothing was shown to it; another port may offer it
	case err.Stage == evidence.StageAuth && switchedOff(err.Cause):
		return !sameLogin || next.name != f.host.name // the other ports of the host have the same switch
	case err.Stage == evidence.StageAuth && (err.Origin == evidence.OriginRemote && err.Reply.Permanent() || tokenless(err)):
		return !sameLogin // it would count as another wrong login
	case aboutNextHop(err.Scope):
		return true // nothing was said about the message. RFC 5321 §5.1
	}
	return false // a definite answer, or one about the message: others are not there for a second opinion
}

// switchedOff reports a login that was refused for its kind, whoever it is.
func switchedOff(id cause.ID) bool {
	switch id {
	case "auth.smtp-auth-disabled", "auth.basic-auth-disabled", "auth.no-shared-mechanism", "auth.encryption-required":
		return true
	}
	return false
}

// tokenless reports that there is no token to show: the sign-in service has
// refused one, or the route has no way to it.
func tokenless(err *evidence.Error) bool {
	return err.Origin == evidence.OriginLocal && err.Scope == evidence.ScopeRoute
}

// opening reports a stage before any mail transaction.
func opening(s evidence.Stage) bool {
	switch s {
	case evidence.StageMail, evidence.StageRcpt, evidence.StageData, evidence.StagePostData:
		return false
	}
	return true
}

// aboutNextHop reports a scope that says nothing about a message.
func aboutNextHop(s evidence.Scope) bool {
	return s == evidence.ScopeConnection || s == evidence.ScopeHost || s == evidence.ScopeRoute
}

// mayAskAll reports whether next may be asked after all of these failures. The
// successor of a withdrawn name is asked when that name has not been reached, and
// for no other reason.
func mayAskAll(failures []failure, next host) bool {
	due := next.after == ""
	for _, f := range failures {
		if !mayAsk(f, next) {
			return false
		}
		due = due || f.host.name == next.after && (f.err.Stage == evidence.StageResolve || f.err.Stage == evidence.StageConnect)
	}
	return due
}

// next returns the next host to ask.
func (a *attempt) next() (host, bool) {
	for a.asked < len(a.hosts) {
		h := a.hosts[a.asked]
		a.asked++
		if a.mayAsk(h) {
			return h, true
		}
	}
	return host{}, false
}

// mayAsk reports whether h may be asked after all that is known.
func (a *attempt) mayAsk(h host) bool { return mayAskAll(slices.Concat(a.known, a.failures), h) }

// refusedLogin returns the failure of this attempt that was a login refused for
// good; nil when there is none.
func (a *attempt) refusedLogin() *evidence.Error {
	for _, f := range a.failures {
		if f.err.Stage == evidence.StageAuth && f.err.Origin == evidence.OriginRemote && f.err.Reply.Permanent() {
			return f.err
		}
	}
	return nil
}

// judge notes an answer that is a failure of the host's, and reports whether
// another host may serve those whom it was about.
func (a *attempt) judge(answer *smtpclient.Answer) bool {
	if answer.Err == nil || answer.Uncertain() {
		return false
	}
	h := a.c.host
	a.failed(answer.Err, h)
	if a.hosts == nil && h.smart {
		a.hosts, a.known = a.c.d.standIns.order(a.c, smartHosts(a.c.route))
		if h.isAPI() {
			// A connection of its own may have gone stale; the interface has not.
			a.hosts = slices.DeleteFunc(a.hosts, func(x host) bool { return x.rank == h.rank })
		}
	}
	if a.hosts == nil {
		return mayAsk(a.failures[len(a.failures)-1], h) // exchangers: by a new connection, to whichever answers
	}
	for _, x := range a.hosts[a.asked:] {
		if a.mayAsk(x) {
			return true
		}
	}
	return false
}

// failed notes a host's failure, with its cause.
func (a *attempt) failed(err *evidence.Error, h host) {
	was := a.c.host
	a.c.host = h
	a.c.explain(err, nil, a.r.Message)
	a.c.host = was
	a.failures = append(a.failures, failure{err: err, host: h, size: int64(len(a.r.Message.Header)) + a.r.Message.BodySize})
}
