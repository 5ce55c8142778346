package cli

import (
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/explain"
)

func (a *app) explainCommand() *cobra.Command {
	var how explainOptions
	c := &cobra.Command{
		Use:   "explain [TEXT… | -f FILE | -]",
		Short: "Say what an error, a bounce or a log line means and what to do",
		Long: `Say what a failure of mail means, who must act, and what to do.

TEXT is an error message, a line of a log, a server's reply or a transcript. A
bounce is given as a file with -f, or by standard input. No text and no file:
standard input. No more than 10 MiB are read.

--follow reads a log as it grows: each line that tells of a failure is
explained, all others are passed over, and what repeats is counted. Ctrl-C or
the end of the log sums up by cause.

--jsonl is for scripts: it reads {"id": 7, "stage": "auth", "text": "535 …"} a
line, stage may be missing, and answers each line with one line.

It exits with 0 when a cause is named, with 1 when the text is no failure of
mail, and with 2 when there is no text to read.`,
		Example: `  wellsent explain "535 5.7.139 Authentication unsuccessful"
  wellsent explain -f bounce.eml
  tail -1 /var/log/mail.log | wellsent explain
  journalctl -f -u postfix | wellsent explain --follow
  wellsent explain --markdown -f bounce.eml > ticket.md
  echo '{"id": 1, "text": "550 5.1.1 user unknown"}' | wellsent explain --jsonl`,
		RunE: func(c *cobra.Command, words []string) error {
			how.words = words
			if err := how.check(c); err != nil {
				return err
			}
			switch {
			case how.lines:
				return a.explainLines(how)
			case how.follow:
				return a.explainFollow(c.Context(), how)
			}
			return a.explainText(c, how)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVarP(&how.file, "file", "f", "", "read `FILE`: a bounce (.eml), a log, a transcript")
	f.BoolVar(&how.follow, "follow", false, "read a log as it grows, explain each failure, sum up at the end")
	f.BoolVar(&how.markdown, "markdown", false, "print Markdown, for a ticket")
	f.BoolVar(&how.lines, "jsonl", false, "read one JSON object a line, print one a line")
	return c
}

// explainOptions is the command line of explain.
type explainOptions struct {
	words                   []string
	file                    string
	follow, markdown, lines bool
}

// check refuses what does not go together.
func (o *explainOptions) check(c *cobra.Command) error {
	named := len(o.words) > 0 && !(len(o.words) == 1 && o.words[0] == "-")
	switch {
	case o.file != "" && len(o.words) > 0:
		return wrongUse(c, "give a text or a file, not both")
	case o.lines && named:
		return wrongUse(c, "--jsonl reads standard input, or a file with -f")
	case o.follow && named:
		return wrongUse(c, "--follow reads standard input, or a file with -f")
	case o.lines && (o.follow || o.markdown), o.follow && o.markdown:
		return wrongUse(c, "--jsonl, --follow and --markdown do not go together")
	}
	return nil
}

// explanation is the result of explain --json.
type explanation struct {
	Version  int    `json:"version"`
	Findings []told `json:"findings"`
}

// explainVersion is the version of the JSON form.
const explainVersion = 1

// told is a finding with all that is said of it.
type told struct {
	explain.Finding
	Others []cause.Remedy `json:"others"` // what others than the actor can do
}

// explainText prints what one text means; no failure of mail is exit code 1.
func (a *app) explainText(c *cobra.Command, how explainOptions) error {
	text, err := a.textToExplain(c, how)
	if err != nil {
		return err
	}
	findings := tell(text, factsIn(text))
	named := slices.ContainsFunc(findings, func(f told) bool { return f.Cause != "" })
	switch {
	case a.json:
		err = a.printJSON(explanation{Version: explainVersion, Findings: findings})
	case how.markdown:
		err = a.printMarkdown(findings)
	default:
		err = a.printFindings(findings)
		if n := failuresIn(text); named && n > 1 {
			a.note("the text has %d lines that tell of failures; --follow explains each of them", n)
		}
	}
	if err == nil && !named {
		return didNot()
	}
	return err
}

// tell returns what text means, at least one finding, with lists that are never
// nil.
func tell(text string, facts explain.Facts) []told {
	findings := explain.Text(text, facts)
	if len(findings) == 0 {
		findings = []explain.Finding{{}}
	}
	all := make([]told, len(findings))
	for i, f := range findings {
		f.Proof, f.Alternatives, f.Do = list(f.Proof), list(f.Alternatives), list(f.Do)
		all[i] = told{f, others(&f, facts)}
	}
	return all
}

// others returns what others than the one who must act can do.
func others(f *explain.Finding, facts explain.Facts) []cause.Remedy {
	c, ok := cause.Lookup(f.Cause)
	if !ok {
		return []cause.Remedy{}
	}
	if f.Recipient != "" {
		facts.Recipient = f.Recipient
	}
	all := c.Fill(catalogueFacts(facts)).Remedies
	return list(all[1:])
}

// stages are the stages that a line of --jsonl may name.
var stages = []evidence.Stage{
	evidence.StageResolve, evidence.StageConnect, evidence.StageTLS, evidence.StageGreeting, evidence.StageEHLO,
	evidence.StageStartTLS, evidence.StageAuth, evidence.StageMail, evidence.StageRcpt, evidence.StageData,
	evidence.StagePostData, evidence.StageBounce, evidence.StageClient,
}

// errNoText is what a file that is no text leads to.
var errNoText = errors.New("not a text")
