package doctor

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/smtpclient"
)

// auth judges the login.
func (j *judge) auth() *Finding {
	if x := j.grant(); x != nil {
		return x
	}
	if j.q.User == "" {
		return nil
	}
	if x := j.token(); x != nil {
		return x
	}
	n := len(j.f.Logins)
	if n == 0 {
		return nil
	}
	first, last := &j.f.Logins[0], &j.f.Logins[n-1]
	if last.Failure == nil {
		if n > 1 {
			x := j.find("auth.username-format", explain.Certain, fmt.Sprintf("%s is refused: %s", first.User, first.Failure.Reply.String()), fmt.Sprintf("%s is accepted with the same password", last.User))
			return x.first(fmt.Sprintf("Give %s as the user name.", last.User))
		}
		return nil
	}
	if t := j.effective(); t != nil && t.TLS == "" {
		return j.clearLogin(last, t)
	}
	return j.refusedLogin(first)
}

// token judges a token that was not sent because it cannot work.
func (j *judge) token() *Finding {
	t := j.f.Token
	if t == nil || len(j.f.Logins) > 0 || j.q.Grant != nil { // walk judges a route's
		return nil
	}
	why := t.unfit(j.q.now())
	if why == "" {
		return nil
	}
	id, sure := cause.ID("auth.oauth-scope"), explain.Likely
	if t.expired(j.q.now()) {
		id, sure = "auth.oauth-token-rejected", explain.Certain
	}
	x := j.find(id, sure, "the token was read here and not sent: "+why)
	if t.User != "" {
		x.Seen = append(x.Seen, "it was issued for "+t.User)
	}
	if t.lacksScope() || t.wrongAudience() {
		x.first("Ask for a token with the scope https://outlook.office.com/SMTP.Send (for programs without a user: https://outlook.office365.com/.default, with SMTP.SendAsApp granted).")
	}
	return x
}

// clearLogin judges a login without TLS, which was asked about and not made.
func (j *judge) clearLogin(l *Login, t *Talk) *Finding {
	x := j.explained(l.Failure)
	mode := j.f.talk(talkMode)
	if mode.well() && mode.TLS != "" && len(mode.Auth) > 0 && slices.Contains([]cause.ID{"auth.not-offered", "protocol.bad-sequence", "protocol.syntax-error"}, x.Cause) {
		x = j.find("auth.encryption-required", explain.Certain, "AUTH without TLS: "+l.Failure.Reply.String(),
			"after STARTTLS the server offers AUTH "+strings.Join(mode.Auth, " "))
	}
	return x
}

// refusedLogin judges a login that the server refused, or does not offer.
func (j *judge) refusedLogin(l *Login) *Finding {
	var mechanism *smtpclient.MechanismError
	switch {
	case errors.As(l.Failure, &mechanism):
		x := j.find("auth.no-shared-mechanism", explain.Certain, "the server offers AUTH "+strings.Join(mechanism.Offered, " "),
			"with these credentials we can use "+strings.Join(mechanism.Known, ", "))
		if j.q.Mechanism != "" {
			x.first("Let the program choose the method by itself, in place of " + j.q.Mechanism + ".")
		}
		return x
	case errors.Is(l.Failure, smtpclient.ErrAuthNotOffered):
		return j.find("auth.not-offered", explain.Certain, "after EHLO under "+j.effective().TLS+" the server offers no AUTH: "+strings.Join(j.effective().Extensions, ", "))
	}
	x := j.explained(l.Failure)
	if l.Challenge != "" { // the challenge has the reason, the reply after it often only that there is one
		if said := explain.Text(l.Challenge+"\n"+l.Failure.Reply.String(), j.facts(evidence.StageAuth)); len(said) > 0 && said[0].Cause != "" {
			x = j.finding(said[0], said[0].Confidence, l.Challenge, l.Failure.Reply.String())
		}
	}
	if l.Mechanism != "" {
		x.Seen = append(x.Seen, fmt.Sprintf("login of %s by %s", l.User, l.Mechanism))
	}
	if n := len(j.f.Logins); n > 1 {
		x.Seen = append(x.Seen, fmt.Sprintf("refused as %s too", j.f.Logins[n-1].User))
	}
	if x.Cause == "auth.credentials-rejected" && j.q.Token != "" {
		y := j.find("auth.oauth-token-rejected", explain.Likely, x.Seen...)
		x = y
	}
	if x.Cause == "auth.credentials-rejected" && l.Mechanism == "NTLM" {
		// It was the only one that both sides know, and it wants a Windows account.
		return j.find("auth.ntlm-failed", explain.Likely, append(x.Seen, "NTLM is the only login that the server offers and we can use: "+strings.Join(j.offered(), ", "))...)
	}
	if t := j.f.Token; t != nil && t.Readable {
		x.Seen = append(x.Seen, tokenWords(t))
		if x.Cause == "auth.oauth-token-rejected" && strings.Contains(t.User, "@") && !strings.EqualFold(t.User, l.User) {
			x.first(fmt.Sprintf("The token is of %s and the login of %s: log in as %[1]s, or get a token as %[2]s.", t.User, l.User))
		}
	}
	if x.Cause != "auth.credentials-rejected" {
		return x
	}
	if x.Confidence == explain.Certain {
		x.Confidence = explain.Likely // what a server calls a wrong password is often something else
	}
	for i := range j.f.Incoming {
		in := &j.f.Incoming[i]
		where := fmt.Sprintf("%s at %s", strings.ToUpper(in.Protocol), in.Endpoint)
		switch {
		case in.OK:
			y := j.find("auth.smtp-auth-disabled", explain.Likely, append(x.Seen, "the same user name and password are accepted by "+where)...)
			y.Do = append(y.Do, "It may also be that this provider wants a separate password for SMTP, or that a policy forbids this login.")
			return y
		case in.Tried:
			x.Seen = append(x.Seen, where+" refuses them too, which may have another reason")
		default:
			x.Seen = append(x.Seen, where+" could not be asked: "+in.Said)
		}
	}
	return j.byProvider(x)
}

// offered returns the mechanisms of the conversation that logs in.
func (j *judge) offered() []string {
	if t := j.effective(); t != nil {
		return t.Auth
	}
	return nil
}

// tokenWords says whose token it is and for what.
func tokenWords(t *Token) string {
	var says []string
	if t.User != "" {
		says = append(says, "was issued for "+t.User)
	}
	if len(t.Audience) > 0 {
		says = append(says, "is for "+strings.Join(t.Audience, ", "))
	}
	if !t.Expires.IsZero() {
		says = append(says, "is good until "+t.Expires.Format("2006-01-02 15:04 UTC"))
	}
	if len(says) == 0 {
		return ""
	}
	return "the token " + listOf(says)
}

// envelope judges what the server says to sender and recipient.
func (j *judge) envelope() *Finding {
	e := j.f.Envelope
	if e == nil {
		return nil
	}
	failure := e.failure()
	if failure == nil {
		return nil
	}
	x := j.explained(failure)
	if !e.Asked && x.Cause != "tls.required" && x.Cause != "auth.encryption-required" {
		return nil // it was only to see whether the server demands TLS
	}
	switch {
	case e.Sender != nil:
		x.Seen = append(x.Seen, "in answer to MAIL FROM:<"+e.From+">")
	case e.Rcpt != nil:
		x.Seen = append(x.Seen, "in answer to RCPT TO:<"+e.To+">")
	default:
		x.Seen = append(x.Seen, "in answer to the message")
	}
	return x
}
