package audit

import (
	"bytes"
	"fmt"

	"purser/ledger"
)

// codecVersion begins every stored form. A change of layout takes the next number,
// and the decoder keeps reading this one.
const codecVersion = 1

// The kinds of what follows a version in the log. Append only.
const (
	kindBatch byte = 1
)

// AppendFacts appends the stored form of facts: version=1, then node, actor, address,
// action, target, before, after.
func AppendFacts(b []byte, f *Facts) []byte { return appendFacts(append(b, codecVersion), f) }

func appendFacts(b []byte, f *Facts) []byte {
	b = appendBytes(b, string(f.Node))
	b = appendBytes(b, f.Actor)
	b = appendBytes(b, f.Address)
	b = appendBytes(b, f.Action)
	b = appendBytes(b, f.Target)
	b = appendBytes(b, f.Before)
	return appendBytes(b, f.After)
}

// DecodeFacts takes facts off the front of b, and copies what it keeps.
func DecodeFacts(b []byte) (f Facts, rest []byte, err error) {
	r := reader{b: b}
	if version := r.byte(); !r.bad && version != codecVersion {
		return f, nil, fmt.Errorf("audit facts of version %d: %w", version, ErrUnknown)
	}
	f = r.facts()
	if r.bad {
		return Facts{}, nil, fmt.Errorf("audit facts: %w", ErrMalformed)
	}
	return f, r.b, nil
}

func (r *reader) facts() Facts {
	return Facts{
		Node: ledger.NodeID(r.text(MaxText)), Actor: r.text(MaxText), Address: r.text(MaxText),
		Action: r.text(MaxText), Target: r.text(MaxText),
		Before: bytes.Clone(r.bytes(MaxDetail)), After: bytes.Clone(r.bytes(MaxDetail)),
	}
}

// appendEvent appends facts, result (1 byte), count, first.
func appendEvent(b []byte, e *Event) []byte {
	b = append(appendFacts(b, &e.Facts), byte(e.Result))
	return appendInt(appendUint(b, e.Count), int64(e.First))
}

func (r *reader) event() Event {
	e := Event{Facts: r.facts(), Result: Result(r.byte()), Count: r.uint(), First: ledger.Instant(r.int())}
	if e.Result < Applied || int(e.Result) >= len(resultNames) || e.Count == 0 {
		r.bad = true
	}
	return e
}

// AppendEntry appends the stored form of an entry, which its hash covers: version=1,
// seq, at, node, actor, address, action, target, before, after, result (1 byte),
// count, first.
func AppendEntry(b []byte, e *Entry) []byte {
	b = appendInt(appendUint(append(b, codecVersion), e.Seq), int64(e.At))
	return appendEvent(b, &e.Event)
}

// DecodeEntry reads one entry, and copies what it keeps of b.
func DecodeEntry(b []byte) (Entry, error) {
	r := reader{b: b}
	if version := r.byte(); !r.bad && version != codecVersion {
		return Entry{}, fmt.Errorf("audit entry of version %d: %w", version, ErrUnknown)
	}
	e := Entry{Seq: r.uint(), At: ledger.Instant(r.int())}
	e.Event = r.event()
	if r.bad || len(r.b) != 0 || e.Seq == 0 {
		return Entry{}, fmt.Errorf("audit entry: %w", ErrMalformed)
	}
	return e, nil
}

// Batch is events of one node that no command of the log made: denials, and what
// happens outside of the replicated state. Incarnation and Seq number it, so that a
// batch that is repeated is appended once.
type Batch struct {
	Node        ledger.NodeID
	Incarnation uint32 // of the node
	Seq         uint64 // from 1, in this incarnation
	Events      []Event
}

// MaxBatch bounds the events of a batch.
const MaxBatch = 256

// AppendBatch appends the stored form of a batch: version=1, kind=1, node,
// incarnation, seq, number of events, events.
func AppendBatch(b []byte, c *Batch) []byte {
	b = appendBytes(append(b, codecVersion, kindBatch), string(c.Node))
	b = appendUint(appendUint(b, uint64(c.Incarnation)), c.Seq)
	b = appendUint(b, uint64(len(c.Events)))
	for i := range c.Events {
		b = appendEvent(b, &c.Events[i])
	}
	return b
}

// DecodeBatch reads one batch, and copies what it keeps of b.
func DecodeBatch(b []byte) (*Batch, error) {
	r := reader{b: b}
	if version, kind := r.byte(), r.byte(); !r.bad && (version != codecVersion || kind != kindBatch) {
		return nil, fmt.Errorf("audit command of version %d, kind %d: %w", version, kind, ErrUnknown)
	}
	c := &Batch{Node: ledger.NodeID(r.text(MaxText))}
	incarnation := r.uint()
	c.Incarnation, c.Seq = uint32(incarnation), r.uint()
	n := r.uint()
	if incarnation > 1<<32-1 || n == 0 || n > MaxBatch {
		r.bad = true
	}
	for range n {
		if r.bad {
			break
		}
		c.Events = append(c.Events, r.event())
	}
	if r.bad || len(r.b) != 0 {
		return nil, fmt.Errorf("audit batch: %w", ErrMalformed)
	}
	return c, nil
}

// Outcome is what a batch did.
type Outcome struct {
	Code Code
	Head Head // of the chain after it
}

// Code says how a batch ended. Codes are stable: they cross the wire.
type Code uint8

// The codes.
const (
	Appended Code = 1
	Repeated Code = 2 // it was appended before
)

// AppendOutcome appends the stored form of an outcome: version=1, code, seq, hash.
func AppendOutcome(b []byte, o Outcome) []byte {
	b = appendUint(append(b, codecVersion, byte(o.Code)), o.Head.Seq)
	return append(b, o.Head.Hash[:]...)
}

// DecodeOutcome reads one outcome.
func DecodeOutcome(b []byte) (Outcome, error) {
	r := reader{b: b}
	version, code := r.byte(), Code(r.byte())
	o := Outcome{Code: code, Head: Head{Seq: r.uint(), Hash: r.hash()}}
	switch {
	case r.bad || len(r.b) != 0 || code == 0:
		return Outcome{}, fmt.Errorf("audit outcome: %w", ErrMalformed)
	case version != codecVersion:
		return Outcome{}, fmt.Errorf("audit outcome of version %d: %w", version, ErrUnknown)
	}
	return o, nil
}
