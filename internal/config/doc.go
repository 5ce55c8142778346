// Package config reads the configuration file and checks all of it. It opens no
// port and no store; what a value means to a component is that component's affair.
//
// # Vocabulary
//
// A [Mistake] is one thing that is wrong, with file, line, column, what to do and,
// where a word is misspelt, what was probably meant. A [Value] is one effective
// value with its origin: default, line of the file, environment variable.
//
// # States and invariants
//
// A [Config] exists only when nothing is wrong with it: every key is known, every
// value is in its range, every file that it names can be read. All mistakes are
// reported at once, as nobody wants to mend a file one line a run. Keys of features
// that do not exist yet are mistakes that say so, except [console], which is
// reported among the warnings and ignored. Paths are absolute. Secrets are never in
// a Value or a Mistake.
//
// # Failure and crash
//
// Load reads and writes nothing else. On reload, a file with mistakes leaves the
// configuration in use as it is; that is the caller's part.
//
// # Concurrency
//
// A Config is immutable and may be read by many goroutines.
//
// # Standards
//
// TOML 1.0; the XDG Base Directory Specification for where files are looked for.
package config
