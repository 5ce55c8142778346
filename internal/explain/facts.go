package explain

import (
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtp"
)

// Facts are what is known of a case beside its text. Any may be missing.
type Facts struct {
	Stage      evidence.Stage
	Origin     evidence.Origin
	Host       string // the server spoken to, with or without its address
	Port       int    // 0: unknown
	Security   string // "starttls", "tls", "none"; "": unknown
	User       string // the login, "" when none was made
	Sender     string
	Recipient  string
	FromServer bool // a post office tells of a delivery, not a client of its outgoing server
}

// fill returns the facts as the catalogue's texts want them.
func (f Facts) fill() cause.Facts {
	c := cause.Facts{User: f.User, Recipient: f.Recipient, Sender: f.Sender, Domain: smtp.Path(f.Recipient).Domain()}
	c.Host, _, _ = strings.Cut(f.Host, " ")
	if host, port, err := net.SplitHostPort(c.Host); err == nil {
		c.Host, c.Port = host, port
	}
	if f.Port != 0 {
		c.Port = strconv.Itoa(f.Port)
	}
	return c
}

// serverSigns stand in the logs and bounces of mail servers.
var serverSigns = []string{
	"postfix/smtp[", "postfix/error[", "postfix/qmgr[", "postfix/bounce[",
	"status=deferred", "status=bounced", "status=sent", "dsn=", "diagnostic-code:", "final-recipient:", "reporting-mta:", " said: ",
	"this is the mail system at host", "mail delivery software", "qmail-send program", "permanent fatal errors", "defer (",
	"could not be delivered", "your message wasn't delivered", "undeliverable", "delivery has failed", "delivery to the following recipient",
	"did not reach", "was not delivered to", "mailer-daemon", "r=dnslookup", "t=remote_smtp", "(in reply to",
}

// logOfExim is how a line of Exim's main log tells of a recipient: ** failed, ==
// deferred.
var logOfExim = regexp.MustCompile(`(?m)(?:^|[0-9a-z]{6}-[0-9a-z]{6,11}-[0-9a-z]{2,4} )(?:\*\*|==) \S+@`)

// logOfPostfix is how its SMTP client tells of a server that it cannot reach.
var logOfPostfix = regexp.MustCompile(`connect to \S+\[[0-9a-f.:]+\]:25: `)

// submissionServers are hosts that only clients speak to: where a log names one,
// its writer is the client.
var submissionServers = regexp.MustCompile(`\b(?:smtp\.(?:gmail|office365|mail\.yahoo|zoho|fastmail|sendgrid|mailgun|yandex|qq|163|gmx|aol|ionos)\.|smtp-mail\.outlook\.|smtp-relay\.|email-smtp\.|smtp\.sendgrid|in-v3\.mailjet)|\]:(?:587|465|2525)\b|:(?:587|465)[: ]`)

// of returns f with what the text tells of its own surroundings.
func (f Facts) of(text string) Facts {
	if f.Stage == evidence.StageBounce {
		f.FromServer = true
	}
	if len(text) > maxPassage {
		text = text[:maxPassage]
	}
	flat := lower(text)
	if !f.FromServer {
		for _, s := range serverSigns {
			if strings.Contains(flat, s) {
				f.FromServer = true
				break
			}
		}
	}
	if !f.FromServer && (logOfExim.MatchString(flat) || strings.Contains(flat, "connect to ") && logOfPostfix.MatchString(flat)) {
		f.FromServer = true
	}
	if f.Stage != evidence.StageBounce && submissionServers.MatchString(flat) {
		f.FromServer = false
	}
	return f
}

// innerSigns tell at which stage a server said what a log, a bounce or a client
// repeats.
var innerSigns = []struct {
	word  string
	stage evidence.Stage
}{
	{"in reply to rcpt to", evidence.StageRcpt}, {"in reply to end of data", evidence.StagePostData}, {"in reply to mail from", evidence.StageMail},
	{"in reply to data", evidence.StageData}, {"in reply to helo", evidence.StageEHLO}, {"in reply to ehlo", evidence.StageEHLO},
	{"after rcpt to", evidence.StageRcpt}, {"after mail from", evidence.StageMail}, {"after end of data", evidence.StagePostData},
	{"after initial connection", evidence.StageGreeting}, {"command: 'rcpt", evidence.StageRcpt}, {"command: 'mail", evidence.StageMail},
	{"command: 'auth", evidence.StageAuth}, {"command: 'data'", evidence.StagePostData}, {"does not like recipient", evidence.StageRcpt},
	{"but sender was rejected", evidence.StageMail}, {"failed after i sent the message", evidence.StagePostData}, {"my name was rejected", evidence.StageEHLO},
	{"sasl authentication failed", evidence.StageAuth}, {"invalid login", evidence.StageAuth}, {"smtpauthenticationerror", evidence.StageAuth},
	{"authenticationfailedexception", evidence.StageAuth}, {"smtprecipientsrefused", evidence.StageRcpt}, {"smtpsenderrefused", evidence.StageMail},
	{"smtpdataerror", evidence.StagePostData},
}

// inner returns the stage of the conversation at which the failure was, or "".
func (f Facts) inner(whole *passage) evidence.Stage {
	switch f.Stage {
	case "", evidence.StageBounce, evidence.StageClient:
	default:
		return f.Stage
	}
	for _, s := range innerSigns {
		if strings.Contains(whole.all, s.word) {
			return s.stage
		}
	}
	return ""
}

// setting returns where the text comes from.
func (f Facts) setting(whole *passage) setting {
	return setting{
		stage: f.inner(whole), fromServer: f.FromServer, fromClient: f.Stage == evidence.StageClient, unknown: f.Stage == "" && !f.FromServer,
		login: slices.ContainsFunc(loginSigns, func(w string) bool { return strings.Contains(whole.all, w) }),
	}
}

// loginSigns are words of which one stands in a text about signing in.
var loginSigns = []string{"auth", "login", "log in", "logon", "password", "credential", "sign in", "sign-in", "token", "mechanism", "sasl", "base64", "decode", "username", "user name", "535", "534"}
