package doctor

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"sync"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
)

//go:embed data/report.html
var pageText string

var pageTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("report").Funcs(template.FuncMap{"actor": cause.Actor.Name}).Parse(pageText))
})

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
