package doctor

import (
	"strings"
)

// candidates are the names that a name which does not exist may have been meant to
// be: "smtp." and "mail." below the domains it may belong to, within two slips.
func candidates(q *Question) []string {
	host := strings.ToLower(strings.TrimSuffix(q.Host, "."))
	var found []string
	add := func(name string) {
		if name != host && name != "" {
			for _, have := range found {
				if have == name {
					return
				}
			}
			found = append(found, name)
		}
	}
	parents := []string{parentOf(host)}
	if d := q.domain(); d != "" {
		parents = append(parents, d)
	}
	for _, parent := range parents {
		for _, first := range []string{"smtp.", "mail."} {
			if slips(host, first+parent) <= maxSlips {
				add(first + parent)
			}
		}
	}
	if len(found) > maxCandidates {
		found = found[:maxCandidates]
	}
	return found
}

// maxSlips is the distance up to which a name is a slip for another one.
const maxSlips = 2

// maxCandidates bounds the names that are looked up.
const maxCandidates = 6

// slips is the number of letters to add, remove, change or swap with their
// neighbour to make b of a.
func slips(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	before, above, row := rows[0], rows[1], rows[2]
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := above[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, row[j-1]+1, above[j]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}
