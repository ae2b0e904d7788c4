package node

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"purser/internal/copies"
	"purser/internal/record"
	"purser/internal/usage"
	"purser/ledger"
)

// The topics about records.
const (
	topicUsageHeld    = "usage.held"    // whose copies are there
	topicUsageTotals  = "usage.totals"  // what records add up to
	topicUsageRecords = "usage.records" // the records
	topicUsageFind    = "usage.find"    // those of one request
)

// asked is a question about the records of one shelf.
type asked struct {
	Shelf usage.Shelf     `json:"shelf,omitempty"` // "" for the node's own
	Query json.RawMessage `json:"query"`
	// Losses wants to know of nodes that were fenced since then; 0 does not.
	Losses ledger.Instant `json:"losses,omitempty"`
}

// has is what a node keeps of others.
type has struct {
	Copies []copies.Held `json:"copies"`
	Losses []loss        `json:"losses,omitempty"`
}

// tellHeld answers topicUsageHeld.
func (n *Node) tellHeld(ctx context.Context, _ string, _ []byte, say func([]byte) error) error {
	t := n.answering(ctx, say)
	defer t.end()
	return n.sayHeld(t, 0)
}

// has is what this node keeps of others: losses since an instant that is not 0.
func (n *Node) has(since ledger.Instant) (h has, err error) {
	if h.Copies, err = n.copies.Held(); err == nil && since != 0 {
		h.Losses, err = n.losses(since)
	}
	return h, err
}

func (n *Node) sayHeld(t *answerer, since ledger.Instant) error {
	h, err := n.has(since)
	if err != nil {
		return err
	}
	b, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("tell of the copies here: %w", err)
	}
	return t.say(pieceHeld, b)
}

// tellTotals answers topicUsageTotals.
func (n *Node) tellTotals(ctx context.Context, _ string, body []byte, say func([]byte) error) error {
	var in asked
	if err := json.Unmarshal(body, &in); err != nil {
		return fmt.Errorf("read a question: %w", err)
	}
	q, worth, err := usage.UnmarshalTotals(in.Query)
	if err != nil {
		return err
	}
	t := n.answering(ctx, say)
	defer t.end()
	if in.Shelf == usage.Own {
		if err := n.sayHeld(t, in.Losses); err != nil {
			return err
		}
	}
	if worth {
		q.Worth = n.worth()
	}
	part, err := n.part(ctx, in.Shelf, q)
	var refused usage.QueryError
	switch {
	case errors.As(err, &refused):
		return t.say(pieceRefused, []byte(refused))
	case err != nil:
		return err
	}
	if names := part.GivenNames(); len(names) > 0 {
		b, err := json.Marshal(names)
		if err != nil {
			return fmt.Errorf("tell which fields were given up: %w", err)
		}
		if err := t.say(pieceGiven, b); err != nil {
			return err
		}
	}
	for _, rows := range []struct {
		kind byte
		list []usage.Row
	}{{pieceRows, part.Rows}, {pieceRest, part.Others}} {
		var b []byte
		for i := range rows.list {
			b = usage.AppendRow(b, &rows.list[i])
			if len(b) >= answerBytes || i == len(rows.list)-1 {
				if err := t.say(rows.kind, b); err != nil {
					return err
				}
				b = b[:0]
			}
		}
	}
	return nil
}

// part adds up the records of one shelf, those under way among them.
func (n *Node) part(ctx context.Context, s usage.Shelf, q usage.TotalsQuery) (*usage.Report, error) {
	if s != usage.Own {
		part, err := n.usage.Shelf(s).Part(ctx, q)
		return part, n.damaged(s, err)
	}
	if err := n.usage.Flush(ctx); err != nil {
		return nil, err
	}
	return n.usage.Part(ctx, q)
}

// damaged is the error of reading copies. Those that are damaged are asked for again.
func (n *Node) damaged(s usage.Shelf, err error) error {
	if s == usage.Own || !errors.Is(err, record.ErrMalformed) {
		return err
	}
	n.log.Warn("copies of a node's usage records are damaged, and are asked for again", "of", string(s), "error", err)
	return errors.Join(err, n.copies.Forget(string(s)))
}

// worth is what answers were reported to be worth, as far as this node knows.
func (n *Node) worth() func(record.ID) (int64, bool, error) {
	j := n.outcomes.Load()
	if j == nil {
		return nil
	}
	return j.worth
}

// tellRecords answers topicUsageRecords.
func (n *Node) tellRecords(ctx context.Context, _ string, body []byte, say func([]byte) error) error {
	var in asked
	if err := json.Unmarshal(body, &in); err != nil {
		return fmt.Errorf("read a question: %w", err)
	}
	q, err := usage.UnmarshalQuery(in.Query)
	if err != nil {
		return err
	}
	t := n.answering(ctx, say)
	defer t.end()
	if in.Shelf == usage.Own {
		if err := n.usage.Flush(ctx); err != nil {
			return err
		}
	}
	var b, one []byte
	for r, err := range n.usage.Shelf(in.Shelf).Records(ctx, q) {
		if err != nil {
			return n.damaged(in.Shelf, err)
		}
		one = record.Append(one[:0], r)
		b = append(binary.AppendUvarint(b, uint64(len(one))), one...)
		if len(b) >= answerBytes {
			if err := t.say(pieceRecords, b); err != nil {
				return err
			}
			b = b[:0]
		}
	}
	if len(b) == 0 {
		return nil
	}
	return t.say(pieceRecords, b)
}

// tellFound answers topicUsageFind: the records of a request that are here, the node's own or
// copies.
func (n *Node) tellFound(ctx context.Context, _ string, body []byte, say func([]byte) error) error {
	t := n.answering(ctx, say)
	defer t.end()
	list, err := n.findHere(ctx, string(body))
	if err != nil || len(list) == 0 {
		return err
	}
	var b []byte
	for i := range list {
		b = appendRecord(b, &list[i])
	}
	return t.say(pieceRecords, b)
}

// appendRecord writes a record as a part of a piece.
func appendRecord(b []byte, r *record.Record) []byte {
	one := record.Append(nil, r)
	return append(binary.AppendUvarint(b, uint64(len(one))), one...)
}

// findHere is the records of a request in this node's store.
func (n *Node) findHere(ctx context.Context, id string) ([]record.Record, error) {
	if err := n.usage.Flush(ctx); err != nil {
		return nil, err
	}
	if list, err := n.usage.Get(ctx, id); err != nil || len(list) > 0 || n.copies == nil {
		return list, err
	}
	held, err := n.copies.Held()
	if err != nil {
		return nil, err
	}
	for _, h := range held {
		list, err := n.usage.Shelf(usage.Shelf(h.Origin)).Get(ctx, id)
		if err != nil || len(list) > 0 {
			return list, err
		}
	}
	return nil, nil
}

// hasOf reads a piece of what a node keeps of others.
func hasOf(kind byte, piece []byte) (h has, err error) {
	if kind != pieceHeld {
		return h, fmt.Errorf("a piece of kind %d: %w", kind, usage.ErrForm)
	}
	if err := json.Unmarshal(piece, &h); err != nil {
		return h, fmt.Errorf("read what a node keeps of others: %w", err)
	}
	return h, nil
}

// oneRecord reads the first record of a piece, and returns the rest.
func oneRecord(dec *record.Decoder, r *record.Record, piece []byte) (rest []byte, err error) {
	size, n := binary.Uvarint(piece)
	if n <= 0 || size > uint64(len(piece)-n) {
		return nil, fmt.Errorf("a piece of records is cut off: %w", usage.ErrForm)
	}
	if err := dec.Decode(r, piece[n:n+int(size)]); err != nil {
		return nil, fmt.Errorf("read a record of another node: %w", err)
	}
	return piece[n+int(size):], nil
}
