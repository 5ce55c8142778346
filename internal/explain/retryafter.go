package explain

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter bounds what a server may ask for: what is longer is a mistake, or
// not a wait.
const maxRetryAfter = 24 * time.Hour

// The words by which servers name a wait: "try again in 5 minutes", "retry after
// 300 seconds", "Retry-After: 120", and of greylisting "come back in 00:04:59".
var (
	again      = `(?:tr(?:y|ied|ying)(?: it| this)? again|retry|retry[- ]?after|come back|please wait|resend|reconnect)`
	waitUnit   = regexp.MustCompile(again + `[^0-9.;]{0,40}?\b([0-9]{1,6}) ?(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?)\b`)
	waitClock  = regexp.MustCompile(again + `[^0-9.;]{0,40}?\b([0-9]{1,2}):([0-9]{2}):([0-9]{2})\b`)
	waitHeader = regexp.MustCompile(`retry[- ]after ?[:=]? ?([0-9]{1,6})\b`)
)

// RetryAfter returns how long a server wants to be left alone before it is asked
// again, where its reply says so in figures; 0 where it does not.
func RetryAfter(text string) time.Duration {
	text = strings.ToLower(text)
	if m := waitUnit.FindStringSubmatch(text); m != nil {
		unit := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour}[m[2][0]]
		return waitOf(m[1], unit)
	}
	if m := waitClock.FindStringSubmatch(text); m != nil {
		// An instant of the day would look the same: more than an hour is none of greylisting's waits.
		if d := waitOf(m[1], time.Hour) + waitOf(m[2], time.Minute) + waitOf(m[3], time.Second); d <= time.Hour {
			return d
		}
		return 0
	}
	if m := waitHeader.FindStringSubmatch(text); m != nil {
		return waitOf(m[1], time.Second)
	}
	return 0
}

func waitOf(digits string, unit time.Duration) time.Duration {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return min(time.Duration(n)*unit, maxRetryAfter)
}
