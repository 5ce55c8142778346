// Package chaos has no code of its own: its tests take away from the running
// program what it stands on, and count what is left.
//
// The process is killed under load ten times in a row; the disk of the data
// directory fills up, gently and to the last octet. What was answered 250 must
// arrive each time. Duplicates are allowed where SMTP cannot tell and are counted.
package chaos
