package audit

import (
	"cmp"
	"slices"

	"purser/ledger"
)

// Limits of a trail (L9).
const (
	// MaxRecent and MaxRecentBytes bound the entries that every replica holds: as many
	// as a node can be behind and still go on without asking another. They are in
	// every snapshot.
	MaxRecent      = 4096
	MaxRecentBytes = 4 << 20
	// MaxSources bounds the nodes whose last batch is known: those of a directory.
	MaxSources = 4096
)

// Trail is the chain at one point of the log: its head, its last entries, and which
// batches are in it. The zero Trail is not usable; see [New].
type Trail struct {
	now     ledger.Instant
	head    Head
	base    Head     // the entry before the first of recent
	recent  []Link   // links are never written; the slice is only appended to and cut
	bytes   int      // of the stored entries in recent
	sources []source // by node; never written, it is replaced
}

// source is a node and its last batch.
type source struct {
	node        ledger.NodeID
	incarnation uint32
	seq         uint64
	head        uint64 // the chain's seq after it
}

// New returns a trail without entries.
func New() *Trail { return &Trail{} }

// Clone returns a copy, in constant time, that may be read while t grows.
func (t *Trail) Clone() *Trail {
	c := *t
	c.recent = t.recent[:len(t.recent):len(t.recent)]
	return &c
}

// Now is the latest instant an entry was stamped with.
func (t *Trail) Now() ledger.Instant { return t.now }

// Head is the last entry's.
func (t *Trail) Head() Head { return t.head }

// Base is the head of the entry before the first of [Trail.Recent].
func (t *Trail) Base() Head { return t.base }

// Recent returns the last entries. It must not be changed.
func (t *Trail) Recent() []Link { return t.recent }

// At returns the head at an entry, if the trail reaches back to it.
func (t *Trail) At(seq uint64) (Head, bool) {
	switch {
	case seq == t.base.Seq:
		return t.base, true
	case seq < t.base.Seq || seq > t.head.Seq:
		return Head{}, false
	default:
		return Head{seq, t.recent[seq-t.base.Seq-1].Hash}, true
	}
}

// Record appends what a command of the log has changed.
func (t *Trail) Record(now ledger.Instant, f *Facts) {
	t.append(now, &Event{Facts: *f, Result: Applied, Count: 1})
}

// Append appends a batch, unless it or a later one of its node is there.
func (t *Trail) Append(now ledger.Instant, b *Batch) Outcome {
	i, known := slices.BinarySearchFunc(t.sources, b.Node, func(s source, id ledger.NodeID) int { return cmp.Compare(s.node, id) })
	if known {
		last := t.sources[i]
		if b.Incarnation < last.incarnation || b.Incarnation == last.incarnation && b.Seq <= last.seq {
			t.now = max(t.now, now)
			return Outcome{Repeated, t.head}
		}
	}
	for i := range b.Events {
		t.append(now, &b.Events[i])
	}
	next := source{b.Node, b.Incarnation, b.Seq, t.head.Seq}
	sources := slices.Clone(t.sources)
	switch {
	case known:
		sources[i] = next
	case len(sources) < MaxSources:
		sources = slices.Insert(sources, i, next)
	default:
		// Whoever has said nothing for longest is least likely to repeat itself.
		silent := slices.IndexFunc(sources, func(s source) bool { return s.head == slices.MinFunc(sources, bySilence).head })
		sources = slices.Delete(sources, silent, silent+1)
		i, _ = slices.BinarySearchFunc(sources, b.Node, func(s source, id ledger.NodeID) int { return cmp.Compare(s.node, id) })
		sources = slices.Insert(sources, i, next)
	}
	t.sources = sources
	return Outcome{Appended, t.head}
}

func bySilence(a, b source) int { return cmp.Compare(a.head, b.head) }

// append puts an event at the end of the chain. Time never runs back: an earlier
// stamp counts as the latest one seen.
func (t *Trail) append(now ledger.Instant, e *Event) {
	t.now = max(t.now, now)
	t.add(NewLink(t.head.Hash, &Entry{Seq: t.head.Seq + 1, At: t.now, Event: *e}))
}

func (t *Trail) add(l Link) {
	t.head = Head{t.head.Seq + 1, l.Hash}
	t.recent = append(t.recent, l)
	t.bytes += len(l.Stored)
	for len(t.recent) > MaxRecent || t.bytes > MaxRecentBytes {
		t.base = Head{t.base.Seq + 1, t.recent[0].Hash}
		t.bytes -= len(t.recent[0].Stored)
		t.recent = t.recent[1:]
	}
}
