package cli

import (
	"regexp"
	"slices"
	"strings"

	"github.com/wellsent/wellsent/internal/explain"
)

// successes are what servers log of mail that went well, and of their own affairs.
var successes = []string{
	"status=sent", "status=delivered", "queue active", "message-id=<", ": removed", "stat=sent", "disconnect from", ": connect from ",
	"statistics: ", " => ", " -> ", "queue run", "daemon started", "refreshing the postfix", " completed",
}

// failures are words of which a line has one that tells of a failure. Package
// explain judges any text; in a log nearly all lines are about something else, and
// these are quick to look for.
var failures = []string{
	"status=", "reject", "defer", "bounce", "fail", "error", "timed out", "timeout", "time-out", "refused", "denied", "lost connection", "unreachable",
	"not found", "not accept", "stat=", "warning", "fatal", "unable to", "cannot", "can't", "could not", "couldn't", "no route", "no such", "expired",
	"exception", "blocked", "unknown", "invalid", "** ",
}

// aProgram is the program that has written a line of syslog, such as
// "postfix/smtp[123]: " or "dovecot: imap-login: ".
var aProgram = regexp.MustCompile(`^(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d[T ][\d:.,]+(?:Z|[+-]\d\d:?\d\d)?) \S+ ([^\s\[:]+)(?:\[\d+\])?: (\S*)`)

// notMail are programs whose failures are not about mail that goes out.
var notMail = regexp.MustCompile(`^(?:sshd|sshd-session|kernel|systemd.*|sudo|su|cron|CRON|crond|dhclient|dhcpcd|NetworkManager|named|unbound|nginx|apache2|httpd|dockerd|containerd|fail2ban.*|clamd|freshclam|snapd|polkitd|dbus-daemon|chronyd|ntpd|login)$`)

// tellsOfFailure reports whether a line of a log is worth a look.
func tellsOfFailure(line string) bool {
	flat := strings.ToLower(line)
	has := func(word string) bool { return strings.Contains(flat, word) }
	if slices.ContainsFunc(successes, has) || !slices.ContainsFunc(failures, has) && !hasReplyCode(flat) {
		return false
	}
	m := aProgram.FindStringSubmatch(line)
	if m == nil {
		return true
	}
	switch program := m[1]; {
	case notMail.MatchString(program):
		return false
	case program == "dovecot" && strings.HasSuffix(m[2], "-login:") && m[2] != "submission-login:":
		return false // somebody reads mail
	case strings.HasSuffix(program, "/smtp"), strings.HasSuffix(program, "/lmtp"):
		// Postfix tells of each host that it tries, and then of the result.
		return strings.Contains(line, "status=") || strings.Contains(line, "warning: ") || strings.Contains(line, "fatal: ")
	}
	return true
}

// hasReplyCode reports whether a line has a number of three digits that may be the
// reply code of a refusal: 400 to 559, by itself.
func hasReplyCode(line string) bool {
	digit := func(c byte) bool { return c >= '0' && c <= '9' }
	for i := 0; i+3 < len(line); i++ {
		if (line[i] == '4' || line[i] == '5' && line[i+1] <= '5') && digit(line[i+1]) && digit(line[i+2]) &&
			(line[i+3] == ' ' || line[i+3] == '-') && (i == 0 || strings.IndexByte(" :(\"'", line[i-1]) >= 0) {
			return true
		}
	}
	return false
}

// failuresIn returns how many lines of a log in text tell of a failure that has a
// result: one recipient each.
func failuresIn(text string) int {
	n := 0
	for l := range strings.Lines(text[:min(len(text), 1<<20)]) {
		if aLogLine.MatchString(l) && tellsOfFailure(l) && explain.Text(l, explain.Facts{})[0].Cause != "" {
			n++
		}
		if n > 99 {
			break
		}
	}
	return n
}

// aLogLine is how a line of a log begins: a date in one of the usual forms.
var aLogLine = regexp.MustCompile(`^(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d |\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)`)
