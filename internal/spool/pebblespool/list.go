package pebblespool

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"github.com/wellsent/wellsent/internal/spool"
)

// List implements spool.Store. A message that is damaged is logged and passed over.
func (s *Store) List(ctx context.Context, q spool.Query) iter.Seq2[*spool.Message, error] {
	return func(yield func(*spool.Message, error) bool) {
		if err := s.enter(); err != nil {
			yield(nil, err)
			return
		}
		defer s.leave()
		l, err := s.newListing(ctx, &q)
		if err != nil {
			yield(nil, err)
			return
		}
		defer l.close()
		for l.messages.First(); l.messages.Valid(); l.messages.Next() {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			m, err := l.read()
			switch {
			case damaged(err):
				s.log.Error("damaged message passed over", "error", err)
			case err != nil:
				yield(nil, err)
				return
			case len(m.Recipients) == 0 || s.isArriving(m.ID):
			case !yield(m, nil):
				return
			}
		}
		if err := l.messages.Error(); err != nil {
			yield(nil, err)
		}
	}
}

// listing is two iterators over one moment of the store. A Pebble snapshot would
// take a lock that is never given back once the store is broken.
type listing struct {
	s          *Store
	q          *spool.Query
	messages   *pebble.Iterator // records of messages
	recipients *pebble.Iterator // records of recipients, in the same order
}

func (s *Store) newListing(ctx context.Context, q *spool.Query) (*listing, error) {
	o := bounds([]byte{keyMessage})
	if q.After != "" {
		o.LowerBound = append(messageKey(q.After), 0)
	}
	messages, err := s.db.NewIterWithContext(ctx, o)
	if err != nil {
		return nil, err
	}
	recipients, err := messages.Clone(pebble.CloneOptions{IterOptions: bounds([]byte{keyRecipient})})
	if err != nil {
		messages.Close()
		return nil, err
	}
	return &listing{s, q, messages, recipients}, nil
}

func (l *listing) close() {
	l.recipients.Close()
	l.messages.Close()
}

// read reads the message at which the listing is, with the recipients that are
// asked for.
func (l *listing) read() (*spool.Message, error) {
	id := spool.QueueID(bytes.TrimSuffix(l.messages.Key()[1:], []byte{0}))
	v, err := l.messages.ValueAndErr()
	if err != nil {
		return nil, fmt.Errorf("message %s: %w", id, err)
	}
	rec, err := decodeRecord(v)
	if err != nil {
		return nil, fmt.Errorf("message %s: %w", id, err)
	}
	m := &spool.Message{ID: id, Envelope: rec.envelope, Header: rec.header, BodySize: rec.bodySize}
	prefix := recipientPrefix(id)
	for ok := l.recipients.SeekGE(prefix); ok && bytes.HasPrefix(l.recipients.Key(), prefix); ok = l.recipients.Next() {
		index, ok := parseRecipientIndex(l.recipients.Key()[len(prefix):])
		if !ok {
			continue
		}
		v, err := l.recipients.ValueAndErr()
		if err != nil {
			return nil, fmt.Errorf("message %s, recipient %d: %w", id, index, err)
		}
		x, err := decodeRecipient(v, index)
		if err != nil {
			l.s.log.Error("damaged recipient passed over", "queue_id", string(id), "error", err)
			continue
		}
		if l.q.Has(x) {
			m.Recipients = append(m.Recipients, *x)
		}
	}
	if err := l.recipients.Error(); err != nil {
		return nil, fmt.Errorf("message %s: recipients: %w", id, err)
	}
	return m, nil
}
