// Package cause is the catalogue of causes of mail that will not go out: for
// each a stable id, its meaning in plain words, who must act, whether sending
// again helps, what to do, and which other causes it hides behind. It is data;
// everything that speaks to a person speaks through it.
//
// # Invariants
//
// An id never changes its meaning and is never used again for another one.
package cause
