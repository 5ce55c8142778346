// Package house holds the rules of the house as tests: which package may import
// which, that each package introduces itself, and that no file tells more than
// one thing.
package house
