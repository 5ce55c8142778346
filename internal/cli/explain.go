package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/explain"
)

// maxExplain bounds what is read to be explained. A bounce carries its report
// before the message it returns, so what lies beyond says nothing new.
const maxExplain = 10 << 20

func (a *app) explainCommand() *cobra.Command {
	var file string
	var lines bool
	c := &cobra.Command{
		Use:   "explain [TEXT… | -f FILE | -]",
		Short: "Say what an error, a bounce or a log line means and what to do",
		Long: `Say what a failure of mail means, who must act, and what to do.

TEXT is an error message, a line of a log, or a server's reply. A bounce is given
as a file with -f, or by standard input. No text and no file: standard input.
It exits with 1 when the text is no failure of mail.`,
		Example: `  wellsent explain "535 5.7.139 Authentication unsuccessful"
  wellsent explain -f bounce.eml
  tail -1 /var/log/mail.log | wellsent explain`,
		RunE: func(c *cobra.Command, words []string) error {
			switch {
			case file != "" && len(words) > 0:
				return wrongUse(c, "give a text or a file, not both")
			case lines && (file != "" || len(words) > 0 && words[0] != "-"):
				return wrongUse(c, "--jsonl reads standard input")
			case lines:
				return a.explainLines()
			}
			text, err := a.textToExplain(c, file, words)
			if err != nil {
				return err
			}
			return a.explainText(text)
		},
	}
	c.Flags().StringVarP(&file, "file", "f", "", "read `FILE`: a bounce (.eml), a log, a transcript")
	c.Flags().BoolVar(&lines, "jsonl", false, "read one JSON object a line, print one a line")
	return c
}

// textToExplain returns the text that the command line names.
func (a *app) textToExplain(c *cobra.Command, file string, words []string) (string, error) {
	var from io.Reader = a.stdin
	switch {
	case file != "" && file != "-":
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("read the text: %w", err)
		}
		defer f.Close()
		from = f
	case file == "" && len(words) > 0 && !(len(words) == 1 && words[0] == "-"):
		from = strings.NewReader(strings.Join(words, " "))
	case terminal(a.stdin):
		fmt.Fprintln(a.stderr, "Paste the error, the bounce or the log line, then press Ctrl-D on a line of its own:")
	}
	b, err := io.ReadAll(io.LimitReader(from, maxExplain+1))
	if err != nil {
		return "", fmt.Errorf("read the text: %w", err)
	}
	if len(b) > maxExplain {
		b = b[:maxExplain]
		fmt.Fprintf(a.stderr, "wellsent: only the first %s of the text are read\n", bytesText(maxExplain))
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return "", wrongUse(c, "there is nothing to explain: the text is empty")
	}
	return strings.ToValidUTF8(string(b), "\ufffd"), nil
}

// explanation is the result of explain --json.
type explanation struct {
	Version  int               `json:"version"`
	Findings []explain.Finding `json:"findings"`
}

// explainVersion is the version of the JSON form.
const explainVersion = 1

// explainText prints what text means; no failure of mail is exit code 1.
func (a *app) explainText(text string) error {
	findings := findingsIn(text, explain.Facts{})
	named := 0
	for i := range findings {
		if findings[i].Cause != "" {
			named++
		}
	}
	if a.json {
		if err := a.printJSON(explanation{Version: explainVersion, Findings: findings}); err != nil {
			return err
		}
	} else if err := a.printFindings(findings, named); err != nil {
		return err
	}
	if named == 0 {
		return didNot()
	}
	return nil
}

// findingsIn returns what text means, at least one finding, with lists that are
// never nil.
func findingsIn(text string, facts explain.Facts) []explain.Finding {
	findings := explain.Text(text, facts)
	if len(findings) == 0 {
		findings = []explain.Finding{{}}
	}
	for i := range findings {
		f := &findings[i]
		f.Proof, f.Alternatives, f.Do = list(f.Proof), list(f.Alternatives), list(f.Do)
	}
	return findings
}

func (a *app) printFindings(findings []explain.Finding, named int) error {
	p := a.page(a.stdout)
	if named == 0 {
		p.paragraph(0, "This does not look like a failure of mail: no cause can be named.")
		p.paragraph(0, "Give the whole text of the error, or the bounce as a file: wellsent explain -f bounce.eml")
		return p.err
	}
	first := true
	for i := range findings {
		if findings[i].Cause == "" {
			continue
		}
		if !first {
			p.line()
		}
		first = false
		p.finding(&findings[i])
	}
	return p.err
}

// finding writes one finding: its title and id, what shows it, why it is so, what
// to do and who must do it.
func (p *page) finding(f *explain.Finding) {
	p.heading(title(f.Title, f.Cause), string(f.Cause))
	if f.Recipient != "" {
		p.field(2, "for", f.Recipient)
	}
	p.list("seen", f.Proof)
	p.field(2, "why", f.Why)
	p.list("do", f.Do)
	p.field(2, "who", who(f.Actor))
	p.field(2, "again", again(f.Retry))
	p.field(2, "sure", sure(f))
}

// heading writes "✗ title … id", the id at the right edge, or below the title
// where both do not fit.
func (p *page) heading(title, id string) { p.marked(p.bad("✗"), title, id) }

// marked is heading with another mark.
func (p *page) marked(mark, title, id string) {
	lines := wrap(printable(title), p.width-2)
	for i, l := range lines {
		lead := mark + " "
		if i > 0 {
			lead = "  "
		}
		text := lead + p.strong(l)
		room := p.width - 2 - columnsOf(l) - columnsOf(id)
		switch {
		case i < len(lines)-1:
			p.line(text)
		case room >= 2:
			p.line(text, strings.Repeat(" ", room), p.faint(id))
		default:
			p.line(text)
			p.line("  ", p.faint(id))
		}
	}
}

// list writes the label before the first text and each text as a paragraph of its
// own; nothing without texts.
func (p *page) list(label string, texts []string) {
	for _, t := range texts {
		p.field(2, label, t)
		label = ""
	}
}

// title returns the words that name a cause, or its id where there are none.
func title(words string, id cause.ID) string {
	if words == "" {
		return string(id)
	}
	return words
}

// who says in words who must act.
func who(a cause.Actor) string {
	switch a {
	case cause.ActorUser:
		return "you"
	case cause.ActorSenderAdmin:
		return "whoever runs the sending server, domain or account"
	case cause.ActorProvider:
		return "the operator of the server that replied"
	case cause.ActorRecipient:
		return "the person written to"
	case cause.ActorRecipientAdmin:
		return "whoever runs the recipient's server"
	case cause.ActorNetworkAdmin:
		return "whoever runs the network or this machine"
	}
	return string(a)
}

// again says in words whether sending again can help.
func again(r cause.Retry) string {
	switch r {
	case cause.RetryNo:
		return "sending the same message again will fail until this is changed"
	case cause.RetryLater:
		return "the same message may go out later"
	case cause.RetryYes:
		return "the same message may go out at once"
	}
	return string(r)
}

// sure says how sure a finding is and what else it may be.
func sure(f *explain.Finding) string {
	words := string(f.Confidence)
	if len(f.Alternatives) == 0 {
		return words
	}
	others := make([]string, len(f.Alternatives))
	for i, id := range f.Alternatives {
		others[i] = string(id)
	}
	return words + "; it may also be " + strings.Join(others, " or ")
}

// stages are the stages that a line of --jsonl may name.
var stages = []evidence.Stage{
	evidence.StageResolve, evidence.StageConnect, evidence.StageTLS, evidence.StageGreeting, evidence.StageEHLO,
	evidence.StageStartTLS, evidence.StageAuth, evidence.StageMail, evidence.StageRcpt, evidence.StageData,
	evidence.StagePostData, evidence.StageBounce, evidence.StageClient,
}
