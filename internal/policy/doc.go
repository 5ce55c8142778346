// Package policy decides what may be submitted: who may send as whom, how many
// hops a message may have made, how large its header section may be. Its functions
// are pure: facts in, a decision with the reply for the client out.
package policy
