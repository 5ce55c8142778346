// Package osfile is what operating systems disagree about with files: locks
// between processes, who owns a file, and whether it is still the same one. It
// keeps such differences out of the packages that hold accounts, certificates and
// the command line, and has the one way in which they replace a file as a whole.
//
// # Invariants
//
// A lock is the kernel's, on an open file: it ends with the process that holds
// it, so none is ever left behind.
//
// # Concurrency
//
// All functions may be called by many goroutines at once, but for [ActAs], which
// changes the whole process.
package osfile
