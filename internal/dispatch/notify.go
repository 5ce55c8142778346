package dispatch

import (
	"context"

	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/spool"
)

// reports returns the notifications that a settlement asks for.
func (d *Dispatcher) reports(context.Context, *settlement) ([]spool.Report, error) { return nil, nil }

// explainAttempt explains what the spool kept of an attempt.
func explainAttempt(a *spool.Attempt, m *spool.Message, x *spool.Recipient) explain.Finding {
	proof := a.Reply
	if proof == "" {
		proof = a.Detail
	}
	return explain.Known(a.Cause, explain.Facts{Stage: a.Stage, Host: a.Host, Sender: string(m.Envelope.From), Recipient: string(x.Path), FromServer: true}, proof)
}
