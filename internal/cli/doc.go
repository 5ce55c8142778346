// Package cli is the command line: it reads arguments, calls the packages that do
// the work, and turns what they return into text for a person or JSON for a
// program. It decides nothing about mail.
//
// # Vocabulary
//
// A command's result goes to standard output. Everything else goes to standard
// error: prompts, notes, the log, and the one message of a command that did not
// go well. With --json the result is JSON and standard output holds nothing else;
// lists are [], never null.
//
// # Exit codes
//
// 0: it went well. 1: it did not. 2: the command line or the configuration is
// wrong. A command returns an error to say so, and [Main] alone prints it.
//
// # Looks
//
// Colour and bold face appear only where standard output is a terminal and
// NO_COLOR is not set, or with --color always; no meaning depends on them. Text
// is wrapped to the terminal's width, 80 columns where that is not known. Text of
// others, such as replies and addresses, is shown with its control characters
// replaced, because a terminal obeys them.
//
// # Failure
//
// An order to the queue goes to the running server by its control socket. With
// none running the command opens the data directory itself, which its lock
// permits to one process at a time.
//
// # Concurrency
//
// One call of Main is one command. Commands that run on end with the first
// interrupt in order and with the second at once.
package cli
