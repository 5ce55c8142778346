package lab

import (
	"sync"
	"time"
)

// Limits are what one account may do, counted strictly: in the time that ends now,
// not by the clock's minutes and days. Zero is no bound.
type Limits struct {
	Connections      int // at once
	PerMinute        int // messages in 60 seconds
	RecipientsPerDay int // in 24 hours
	Recipients       int // of one message
}

// ExchangeLimits are those of Exchange Online's client submission.
var ExchangeLimits = Limits{Connections: 3, PerMinute: 30, RecipientsPerDay: 10_000, Recipients: 1000}

// Usage is what clients made of the limits.
type Usage struct {
	Messages       int `json:"messages"`        // accepted
	Recipients     int `json:"recipients"`      // of these
	Connections    int `json:"connections"`     // most at once
	Open           int `json:"open"`            // connections now
	OverConnection int `json:"over_connection"` // messages refused for too many connections
	OverRate       int `json:"over_rate"`       // messages refused for the minute's limit
	OverQuota      int `json:"over_quota"`      // messages refused for the day's limit
	Refused        int `json:"refused"`         // logins
}

// Over returns how often a client went over a limit.
func (u Usage) Over() int { return u.OverConnection + u.OverRate + u.OverQuota }

// Stored is one message that was accepted.
type Stored struct {
	From  string
	To    []string
	Begun time.Time // MAIL was heard
	At    time.Time // it was accepted
}

// What Exchange Online says to those who go over.
const (
	saysThreads = "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded. [Hostname={host}]"
	saysBusy    = "451 4.7.500 Server busy. Please try again later from [{ip}]. (S77719) [{host}]"
	saysQuota   = "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed to process message due to a permanent exception with message The message can't be submitted because the sender's submission quota was exceeded. [Hostname={host}]"
	saysMany    = "452 4.5.3 Too many recipients"
)

// spent is one message that was counted.
type spent struct {
	at         time.Time
	recipients int
}

// meter counts what the account does.
type meter struct {
	limits Limits // immutable

	mu    sync.Mutex // guards the fields below
	open  int        // connections
	log   []*spent   // of 24 hours, oldest first
	day   int        // recipients in log
	usage Usage
}

func (m *meter) usageNow() Usage {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.usage
	u.Open = m.open
	return u
}

// enter counts a connection.
func (m *meter) enter() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open++
	m.usage.Connections = max(m.usage.Connections, m.open)
}

// left counts the end of one.
func (m *meter) left() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open--
}

func (m *meter) refused() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.usage.Refused++
}

// spend counts a message, or says why not. What it returns is to be given back
// when the client does not learn that the message was taken.
func (m *meter) spend(now time.Time, recipients int) (s *spent, refusal string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.log) > 0 && now.Sub(m.log[0].at) >= 24*time.Hour {
		m.day -= m.log[0].recipients
		m.log = m.log[1:]
	}
	minute := 0
	for i := len(m.log) - 1; i >= 0 && now.Sub(m.log[i].at) < time.Minute; i-- {
		minute++
	}
	switch l := m.limits; {
	case l.Connections > 0 && m.open > l.Connections:
		m.usage.OverConnection++
		return nil, saysThreads
	case l.PerMinute > 0 && minute >= l.PerMinute:
		m.usage.OverRate++
		return nil, saysBusy
	case l.RecipientsPerDay > 0 && m.day+recipients > l.RecipientsPerDay:
		m.usage.OverQuota++
		return nil, saysQuota
	}
	s = &spent{now, recipients}
	m.log = append(m.log, s)
	m.day += recipients
	m.usage.Messages++
	m.usage.Recipients += recipients
	return s, ""
}

// unspend takes a message out of the count again.
func (m *meter) unspend(s *spent) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := len(m.log) - 1; i >= 0; i-- {
		if m.log[i] == s {
			m.log = append(m.log[:i:i], m.log[i+1:]...)
			m.day -= s.recipients
			m.usage.Messages--
			m.usage.Recipients -= s.recipients
			return
		}
	}
}
