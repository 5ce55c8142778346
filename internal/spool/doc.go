// Package spool is the contract of the durable store of messages: what a message,
// a recipient and its states are, and what a [Store] promises. It holds no
// storage; pebblespool is the store, memspool the model, spooltest the suite that
// both pass.
package spool
