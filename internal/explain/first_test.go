package explain

import "testing"

func TestFirst(t *testing.T) {
	for _, all := range corpora(t) {
		for _, j := range judgeAll(all) {
			if !j.first || !j.actor || !j.retry {
				t.Logf("%d %s: %s %s %s, want %s %s %s: %.300q", j.ID, j.Stage, j.got.Cause, j.got.Retry, j.got.Actor, j.Cause, j.Retry, j.labelled.Actor, j.Text)
			}
		}
	}
}
