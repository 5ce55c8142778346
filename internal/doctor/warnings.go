package doctor

import (
	"fmt"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/resolver"
)

const (
	slowGreeting = 5 * time.Second     // what impatient clients wait for
	endsSoon     = 14 * 24 * time.Hour // certificates that renew themselves do so 30 days before
)

// warnings returns what does not stop this mail and will stop other mail, or soon.
func (j *judge) warnings() []Finding {
	list := []Finding{}
	warn := func(x *Finding, title string) {
		if title != "" {
			x.Title = title
		}
		x.RuledOut = []string{}
		list = append(list, *x)
	}
	if t := j.f.talk(talkTarget); t != nil && t.VerifyError != nil && j.f.talk(talkAnyCert).well() && j.stranger() == nil {
		x := j.certificate(t)
		x.Seen = append(x.Seen, "servers hand mail over with any certificate, but whoever checks it (MTA-STS, DANE, a program with a login) would not")
		warn(x, "")
	}
	if t := j.effective(); t != nil {
		if s := greetingTime(t); s > slowGreeting {
			warn(j.find("net.slow-greeting", explain.Certain, fmt.Sprintf("the greeting came after %s", inWords(s))), "")
		}
		if t.Verified && len(t.Chain) > 0 {
			if left := t.Chain[0].NotAfter.Sub(j.q.now()); left < endsSoon && left > 0 {
				warn(j.find("tls.certificate-expired", explain.Certain, fmt.Sprintf("it ends on %s, in %s", day(t.Chain[0].NotAfter), inWords(left))),
					fmt.Sprintf("The certificate of %s ends soon", t.Host))
			}
			if x := j.weakKey(); x != nil && j.q.betweenServers() { // which take any key
				warn(x, x.Title)
			}
		}
		if t.NoTLS && t.well() && !t.Masked && j.tls() == nil {
			warn(j.find("tls.starttls-not-offered", explain.Certain, "mail goes to this server in clear text"), "")
		}
		if t.Masked && t.well() && !t.NoTLS {
			warn(j.find("net.smtp-inspection", explain.Likely, "something on the way overwrites what the server says: "+overwritten(t)), "")
		}
	}
	return append(list, j.domainWarnings()...)
}

// greetingTime returns how long the server took to greet.
func greetingTime(t *Talk) time.Duration {
	if t.Record.Greeting == "" {
		return 0
	}
	return waited(t)
}

// waited returns how long a greeting was waited for, whether it came or not.
func waited(t *Talk) time.Duration {
	for _, s := range t.Record.Steps {
		if s.Stage == evidence.StageGreeting {
			return s.Took
		}
	}
	return 0
}

// domainWarnings are about what the domains of sender and recipient publish.
func (j *judge) domainWarnings() []Finding {
	d := j.f.Domain
	if d == nil || !d.Checked {
		return nil
	}
	var list []Finding
	warn := func(title, seen, do string) {
		x := j.find("policy.unauthenticated", explain.Certain, seen)
		x.Subject, x.Title, x.Do, x.RuledOut = d.Name, title, []string{do}, []string{}
		list = append(list, *x)
	}
	if d.SPF != nil && len(d.SPF) == 0 {
		warn("The domain "+d.Name+" has no SPF record", "no TXT record of "+d.Name+" begins with v=spf1",
			"Publish an SPF record that names the servers that send for "+d.Name+".")
	}
	if len(d.SPF) > 1 {
		warn("The domain "+d.Name+" has more than one SPF record", fmt.Sprintf("%d TXT records begin with v=spf1; receivers then count none (RFC 7208 §4.5)", len(d.SPF)),
			"Make one record of them.")
	}
	if d.DMARC != nil && len(d.DMARC) == 0 {
		warn("The domain "+d.Name+" has no DMARC record", "no TXT record of _dmarc."+d.Name+" begins with v=DMARC1",
			"Publish a DMARC record, at first with p=none, at _dmarc."+d.Name+".")
	}
	for selector, there := range d.DKIM {
		if !there {
			warn("The domain "+d.Name+" has no DKIM key for the selector "+selector, "no TXT record at "+selector+"._domainkey."+d.Name,
				"Publish the key, or sign with a selector that has one.")
		}
	}
	// Only servers that take mail from other servers look at it; of who logs in on a
	// submission port nobody asks a name. RFC 6409 §3.
	if j.q.Port == 25 && d.Own.IsValid() && d.PTR != nil && len(d.PTR) == 0 {
		x := j.find("sender.no-reverse-dns", explain.Certain, "no PTR record of "+d.Own.String())
		x.Subject, x.RuledOut = d.Own.String(), []string{}
		list = append(list, *x)
	}
	for _, l := range d.Listed {
		id := cause.ID("reputation.ip-blocklisted")
		if l.Domain {
			id = "reputation.domain-blocklisted"
		}
		x := j.find(id, explain.Certain, fmt.Sprintf("%s answers %s for %s", l.Zone, l.Code, l.What))
		x.Subject, x.RuledOut = l.What, []string{}
		list = append(list, *x)
	}
	if d.ToKind == resolver.KindNullMX {
		x := j.find("recipient.null-mx", explain.Certain, d.ToName+" publishes a null MX")
		x.Subject, x.RuledOut = d.ToName, []string{}
		list = append(list, *x)
	}
	return list
}
