package cli

import (
	"github.com/spf13/cobra"

	"github.com/wellsent/wellsent/internal/doctor"
)

func (a *app) targetOfAddress(c *cobra.Command, address string, q *doctor.Question) error {
	q.Address = address
	return wrongUse(c, "give the server: settings for an address are not looked up yet")
}

func (a *app) targetOfProgram(c *cobra.Command, f *doctorFlags, q *doctor.Question) error {
	return wrongUse(c, "not yet")
}

func (a *app) askQuestions(c *cobra.Command, f *doctorFlags, q *doctor.Question) error {
	return wrongUse(c, "not yet")
}

func (p *page) clientSteps(client string, w *doctor.Works, r *doctor.Report) {}
