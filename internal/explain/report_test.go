package explain

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestReport writes how well the labelled texts are understood to the file that
// WELLSENT_EXPLAIN_REPORT names; `make explain-report` shows it. The same code and
// corpora give the same report.
func TestReport(t *testing.T) {
	path := os.Getenv("WELLSENT_EXPLAIN_REPORT")
	var b bytes.Buffer
	all := corpora(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		writeReport(&b, name, judgeAll(all[name]))
	}
	if b.Len() == 0 {
		t.Error("there is nothing to report")
	}
	if path == "" {
		return
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// writeReport writes the tables of one corpus.
func writeReport(w io.Writer, name string, all []judgement) {
	fmt.Fprintf(w, "%s\n%s\n\n", name, strings.Repeat("=", len(name)))
	table(w, "all", all, func(*judgement) string { return "" })
	table(w, "by stage", all, func(j *judgement) string { return string(j.Stage) })
	table(w, "by confidence", all, func(j *judgement) string { return cmp.Or(string(j.got.Confidence), "none") })
	table(w, "by provider", all, func(j *judgement) string { return providerOf(j.Source) })
	confusions(w, all)
}

// table writes one line for each part of all, by the name that of gives it.
func table(w io.Writer, title string, all []judgement, of func(*judgement) string) {
	parts := map[string]*score{}
	for i := range all {
		name := of(&all[i])
		if parts[name] == nil {
			parts[name] = &score{}
		}
		parts[name].add(&all[i])
	}
	fmt.Fprintf(w, "%-32s %6s %8s %8s %8s %8s\n", title, "texts", "cause", "first", "retry", "actor")
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		s := parts[name]
		fmt.Fprintf(w, "  %-30s %6d %7.1f%% %7.1f%% %7.1f%% %7.1f%%\n", name, s.all, s.percent(s.cause), s.percent(s.first), s.percent(s.retry), s.percent(s.actor))
	}
	fmt.Fprintln(w)
}

// confusions writes which cause was taken for which, the most frequent first.
func confusions(w io.Writer, all []judgement) {
	count := map[string][]string{}
	for i := range all {
		if j := &all[i]; !j.cause {
			k := fmt.Sprintf("%s for %s", cmp.Or(string(j.got.Cause), "nothing"), j.Cause)
			count[k] = append(count[k], fmt.Sprint(j.ID))
		}
	}
	fmt.Fprintln(w, "confusions")
	keys := slices.SortedFunc(maps.Keys(count), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(count[b]), len(count[a])), cmp.Compare(a, b))
	})
	for _, k := range keys {
		fmt.Fprintf(w, "  %3d  %s (%s)\n", len(count[k]), k, strings.Join(count[k], ", "))
	}
	fmt.Fprintln(w)
}

var aProvider = regexp.MustCompile(`^[\w.&/+-]+(?: (?:Online|365|Mail|SES|SMTP|log|ASA|Entra))?`)

// provider returns the first words of a source.
func providerOf(source string) string {
	return cmp.Or(strings.TrimRight(aProvider.FindString(source), ".,/"), "none")
}
