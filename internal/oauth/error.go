package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/evidence"
)

// The errors that callers branch on.
var (
	// ErrSignedOut is a source that needs a person to sign in first.
	ErrSignedOut = errors.New("there is no refresh token")
	// ErrFresh is a token that a server has refused though it was issued a moment
	// ago: another one would be refused as well.
	ErrFresh = errors.New("the refused token was issued a moment ago")
)

// maxWords bounds what of a provider's words goes into an error, octets.
const maxWords = 600

// Error is a token that could not be had.
type Error struct {
	Host      string        // asked; "" when none was
	Code      string        // of RFC 6749 §5.2, such as "invalid_grant"; "": none
	Words     string        // the provider's own, without secrets
	Status    int           // of HTTP; 0: no answer
	Temporary bool          // it may pass by itself
	Wait      time.Duration // as the provider asks; 0: it does not say
	Skew      time.Duration // the local clock is behind the provider's by this; 0: not known
	Do        string        // what mends it; "": the cause says it
	Err       error         // underneath; nil: none
}

// Error tells who refused what, in the provider's words.
func (e *Error) Error() string {
	var b strings.Builder
	switch {
	case e.Host == "":
		b.WriteString("no access token")
	case e.Code == "" && e.Status == 0:
		fmt.Fprintf(&b, "no access token from %s", e.Host)
	default:
		fmt.Fprintf(&b, "the token endpoint at %s issues no access token", e.Host)
	}
	if e.Code != "" {
		b.WriteString(": " + e.Code)
	} else if e.Status != 0 {
		b.WriteString(": HTTP status " + strconv.Itoa(e.Status))
	}
	if e.Words != "" {
		b.WriteString(": " + e.Words)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if far(e.Skew) {
		fmt.Fprintf(&b, "; the clock of this machine differs from the provider's by %s", e.Skew.Abs().Round(time.Second))
	}
	if e.Do != "" {
		b.WriteString("; " + e.Do)
	}
	return b.String()
}

// Unwrap returns what is underneath.
func (e *Error) Unwrap() error { return e.Err }

// IsTemporary reports whether err may pass by itself. What is not known is taken
// for an outage: that keeps mail, and asks again.
func IsTemporary(err error) bool {
	var e *Error
	if errors.As(err, &e) {
		return e.Temporary
	}
	return !errors.Is(err, ErrSignedOut) && !errors.Is(err, ErrFresh)
}

// temporary reports whether an answer of the token endpoint may pass. Entra ID
// says so in codes of its own beside "invalid_grant", when its own parts fail.
func temporary(status int, code, words string) bool {
	switch {
	case status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		return true
	case code == "temporarily_unavailable", code == "server_error", code == "slow_down":
		return true
	}
	for _, c := range []string{"AADSTS90033", "AADSTS90055", "AADSTS50196", "AADSTS90024"} { // transient, throttled, loop seen, throttled
		if strings.Contains(words, c) {
			return true
		}
	}
	return false
}

// far reports a difference of clocks that matters: providers bear five minutes.
func far(skew time.Duration) bool { return skew.Abs() > 2*time.Minute }

// clean returns a provider's words fit for a log: printable, without secrets,
// bounded.
func clean(words string, secrets ...string) string {
	for _, s := range secrets {
		if len(s) >= 4 {
			words = strings.ReplaceAll(words, s, "***")
		}
	}
	words = strings.Join(strings.Fields(words), " ")
	return evidence.Clip(evidence.Printable(words), maxWords)
}

// retryAfter reads the field of RFC 9110 §10.2.3.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if n, err := strconv.Atoi(v); err == nil && n > 0 {
		return min(time.Duration(n)*time.Second, maxWait)
	}
	if t, err := http.ParseTime(v); err == nil && t.After(now) {
		return min(t.Sub(now), maxWait)
	}
	return 0
}
