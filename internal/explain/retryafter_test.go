package explain

import (
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"451 4.7.1 Please try again in 5 minutes":                                            5 * time.Minute,
		"450 4.2.0 Greylisted, please try again in 300 seconds":                              300 * time.Second,
		"451 4.7.500 Server busy. Please try again later from [192.0.2.1].":                  0,
		"451 4.7.1 Greylisting in action, please come back in 00:04:59":                      4*time.Minute + 59*time.Second,
		"421 Too many messages, retry after 60s":                                             time.Minute,
		"429 Retry-After: 120":                                                               2 * time.Minute,
		"452 You have exceeded 30 messages in 1 minute":                                      0,
		"421 recipient limit exceeded, try again after: Wed, 01 Mar 2023 00:00:00 GMT":       0,
		"421 4.3.2 try again at 14:05:00":                                                    0,
		"450 4.7.1 Rate limited. Please wait 2 hours":                                        2 * time.Hour,
		"450 4.7.1 Retry in 999999 hours":                                                    24 * time.Hour,
		"550 5.1.1 no such user":                                                             0,
		"":                                                                                   0,
		"432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded":                      0,
		"450 4.2.1 The user is receiving mail too quickly. Please resend at a later time. 7": 0,
	} {
		if got := RetryAfter(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
