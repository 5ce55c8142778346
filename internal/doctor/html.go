package doctor

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"strings"
	"sync"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
)

//go:embed data/report.html
var pageText string

var pageTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("report").Funcs(template.FuncMap{"actor": cause.Actor.Name, "commands": commands}).Parse(pageText))
})

// part is a piece of a text: prose, or a command to be copied.
type part struct {
	Text    string
	Command bool
}

// commands splits a text at the backquotes around its commands.
func commands(s string) []part {
	pieces := strings.Split(s, "`")
	if len(pieces)%2 == 0 {
		return []part{{Text: s}} // one is open
	}
	var parts []part
	for i, p := range pieces {
		parts = append(parts, part{p, i%2 == 1})
	}
	return parts
}

// HTML returns the report as one page that needs nothing from anywhere: no script,
// no picture, no network.
func (r *Report) HTML() ([]byte, error) {
	type item struct {
		Item
		Transcript string
	}
	page := struct {
		*Report
		Where string
		When  string
		Rows  []Row
		Items []item
	}{Report: r, Where: r.Where(), When: time.Now().Format("2 January 2006, 15:04 MST"), Rows: r.Works.Rows()}
	for i := range r.Evidence {
		page.Items = append(page.Items, item{r.Evidence[i], r.Evidence[i].transcript()})
	}
	var b bytes.Buffer
	if err := pageTemplate().Execute(&b, page); err != nil {
		return nil, fmt.Errorf("make the page: %w", err)
	}
	return b.Bytes(), nil
}
