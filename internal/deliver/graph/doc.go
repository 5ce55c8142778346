// Package graph sends messages by Microsoft Graph, from the mailbox of one user.
// It makes the requests and reads what is answered; how a request is made is
// package api's business, what a failure leads to package deliver's.
//
// # Vocabulary
//
// A message goes in MIME form, in one request, where that is short enough. A
// longer one goes as a draft in the mailbox, to which its big attachments are
// uploaded one after another; then the draft is sent.
//
// # States and invariants
//
// Nothing is sent before the request that sends is made whole: sendMail, or send
// of a draft. A draft has the recipients of the envelope, which is looked at in
// what Graph says of it and set where it is otherwise. A draft that is not sent is
// deleted. The mailbox keeps a copy in Sent Items: in MIME form no request can say
// otherwise.
//
// By way of a draft the attachments come after the other parts, whatever their
// place was, and attached messages become files. A message that is signed or
// encrypted as a whole is never taken apart.
//
// # Failure
//
// That of package api. An upload that breaks goes on where the server says that it
// stands, a few times. A crash leaves a draft behind, which nobody is sent.
//
// # Concurrency
//
// A Client is used by one goroutine. Exchange Online takes four requests at once
// for one mailbox and application.
//
// # Standards
//
// Microsoft Graph v1.0: user: sendMail, create message, attachment:
// createUploadSession, message: send; "Attach large files to Outlook messages";
// "Microsoft Graph throttling guidance". RFC 2045–2047, 2231 (MIME).
package graph
