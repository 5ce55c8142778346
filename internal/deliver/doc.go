// Package deliver carries one batch of mail to one next hop and says what became of each recipient.
package deliver
