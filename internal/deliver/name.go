package deliver

import (
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/spool"
)

// explain names a failure: it sets err.Cause and returns the finding.
func (c *conversation) explain(err *evidence.Error, r *spool.Recipient, m *spool.Message) explain.Finding {
	return explain.Finding{Cause: err.Cause}
}

// explainLocal names a failure that no server was part of.
func explainLocal(err *evidence.Error, r *spool.Recipient, m *spool.Message) explain.Finding {
	return explain.Finding{Cause: err.Cause}
}
