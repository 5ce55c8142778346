// Package webui is pages for people. Today it is one: the doctor's questions as a
// local page, for those who would rather not type at a terminal.
//
// # Invariants
//
// The page is for the person who started it: it is served on loopback only, below
// a path that nobody can guess, to requests that name this very address as their
// host, and forms are taken from this page alone. It loads nothing from anywhere.
// A password is in the one question that it was typed for, and nowhere else.
//
// # Concurrency
//
// Requests are served at once; one doctor's run at a time.
package webui
