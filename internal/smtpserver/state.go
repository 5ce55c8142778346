package smtpserver

// state is the place of a session in the protocol.
type state uint8

// The states of a session, in protocol order.
const (
	stateConnected state = 1 << iota // greeted by us; EHLO, HELO, or QUIT may follow, and what asks for nothing
	stateGreeted                     // the client has a name; STARTTLS, AUTH, MAIL may follow
	stateMail                        // a reverse-path is accepted; RCPT, RSET may follow
	stateRcpt                        // a recipient is accepted; RCPT, DATA, RSET may follow
	stateData                        // message data is being read; its end follows
	stateClosed                      // nothing follows; terminal
)

// anyState is every state in which commands are read.
const anyState = stateConnected | stateGreeted | stateMail | stateRcpt

// inTransaction reports whether a mail transaction is under way.
func (s state) inTransaction() bool { return s&(stateMail|stateRcpt|stateData) != 0 }

// String returns the state's name for logs.
func (s state) String() string {
	switch s {
	case stateConnected:
		return "waiting for EHLO"
	case stateGreeted:
		return "waiting for MAIL"
	case stateMail:
		return "waiting for RCPT"
	case stateRcpt:
		return "waiting for RCPT or DATA"
	case stateData:
		return "receiving data"
	}
	return "closed"
}

// event is what moves a session from state to state.
type event uint8

const (
	eventNone     event = iota // nothing changes
	eventHello                 // EHLO or HELO was accepted
	eventTLS                   // the TLS handshake is done
	eventClient                // XCLIENT was accepted: another client is meant
	eventMail                  // MAIL was accepted
	eventRcpt                  // RCPT was accepted
	eventData                  // 354 was given
	eventDataDone              // the reply to the final dot was given
	eventReset                 // RSET
	eventClose                 // QUIT, or the session must end
)

// next makes all moves of a session. The table of verbs has made sure that the
// event can happen in s.
func next(s state, e event) state {
	switch e {
	case eventHello:
		return stateGreeted // also ends a transaction; RFC 5321 §4.1.4
	case eventTLS:
		return stateConnected // as if just connected; RFC 3207 §4.2
	case eventClient:
		return stateConnected // the same, and a new greeting was given
	case eventMail:
		return stateMail
	case eventRcpt:
		return stateRcpt
	case eventData:
		return stateData
	case eventDataDone:
		return stateGreeted
	case eventReset:
		if s == stateConnected {
			return s
		}
		return stateGreeted
	case eventClose:
		return stateClosed
	}
	return s
}
