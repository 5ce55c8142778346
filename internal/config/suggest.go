package config

import "strings"

// nearest returns the known word that a misspelt one most likely is, or "". A word
// is near when no more than a third of its letters differ: with more, a suggestion
// misleads.
func nearest(word string, known []string) string {
	best, bestDistance := "", len(word)/3+1
	w := strings.ToLower(word)
	if len(w) > 64 {
		return ""
	}
	for _, k := range known {
		d := distance(w, strings.ToLower(k))
		if d < bestDistance || d == bestDistance && best == "" {
			best, bestDistance = k, d
		}
	}
	for _, k := range known {
		if best == "" && strings.HasPrefix(k, w+"_") { // password, where password_file is meant
			best = k
		}
	}
	return best
}

// distance counts the letters that must be put in, taken out, changed or swapped
// with their neighbour to make b of a (optimal string alignment).
func distance(a, b string) int {
	var before []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
