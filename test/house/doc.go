// Package house holds the rules of the house as tests: which package may import
// which, that each package introduces itself, that no file tells more than one
// thing, and that the links of the documentation lead somewhere.
package house
