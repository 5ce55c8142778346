package doctor

// HTML returns the report as one page.
func (r *Report) HTML() ([]byte, error) { return nil, nil }

// Markdown returns the report for a ticket.
func (r *Report) Markdown() string { return "" }

// Clients are the programs for which steps are known.
func Clients() []string { return nil }
