package ledger

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"
)

// A snapshot is a sequence of records, each a type, a version and fields in the
// encoding of commands: one head, the budgets by ID, the nodes by ID, the
// accounts by key with their leases by node, and one tail that counts them.
// Everything else in a State is derived. Equal states have equal records.
//
// A head, budget or account that a Restore has touched is of version 2 and ends
// with what that left; others are of version 1. A budget that has a breaker, raises
// or trips is of version 3 and ends with both.
const (
	recordHead    = 1
	recordBudget  = 2
	recordNode    = 3
	recordAccount = 4
	recordTail    = 5
)

// ruledVersion is that of a budget with a breaker, raises or trips.
const ruledVersion = 3

// recordVersion is the version of a record with or without a last field that may
// be zero.
func recordVersion(last bool) byte {
	if last {
		return 2
	}
	return 1
}

// Records yields the snapshot. Each slice is good until the next one is asked for.
func (s *State) Records() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		b := make([]byte, 0, 512)
		b = append(b[:0], recordHead, recordVersion(s.generation > 0))
		b = binary.AppendVarint(b, int64(s.now))
		if s.generation > 0 {
			b = binary.AppendUvarint(b, uint64(s.generation))
		}
		if !yield(b) {
			return
		}
		for _, r := range s.budgets.all() {
			if b = appendRule(b[:0], r); !yield(b) {
				return
			}
		}
		for _, n := range s.nodes.all() {
			if b = appendNode(b[:0], n); !yield(b) {
				return
			}
		}
		for _, a := range s.accounts.all() {
			if b = appendAccount(b[:0], a); !yield(b) {
				return
			}
		}
		b = append(b[:0], recordTail, codecVersion)
		b = appendCount(b, s.budgets.size)
		b = appendCount(b, s.nodes.size)
		yield(appendCount(b, s.accounts.size))
	}
}

// Digest is the SHA-256 of the records, each after its length as eight bytes,
// big-endian. Equal states have equal digests (L8).
func (s *State) Digest() [32]byte {
	h := sha256.New()
	var size [8]byte
	for rec := range s.Records() {
		binary.BigEndian.PutUint64(size[:], uint64(len(rec)))
		h.Write(size[:])
		h.Write(rec)
	}
	var sum [32]byte
	h.Sum(sum[:0])
	return sum
}

func appendRule(b []byte, r *rule) []byte {
	version := recordVersion(r.blind > 0)
	if r.ruled() {
		version = ruledVersion
	}
	b = append(b, recordBudget, version)
	b = appendBudget(b, r.budget)
	b = appendBool(appendBool(b, r.deleted), r.beenSoft)
	if r.blind > 0 || r.ruled() {
		b = binary.AppendVarint(b, int64(r.blind))
	}
	if r.ruled() {
		b = appendRulings(b, r)
	}
	return b
}

func appendNode(b []byte, n *node) []byte {
	b = append(b, recordNode, codecVersion)
	b = appendString(b, n.id)
	b = append(b, n.store[:]...)
	b = binary.AppendUvarint(b, uint64(n.incarnation))
	b = appendBool(b, n.fenced)
	b = binary.AppendUvarint(b, n.markSeq)
	b = binary.AppendUvarint(b, n.seq)
	b = appendBool(b, n.answer != nil)
	if n.answer != nil {
		b = appendAnswer(b, n.answer)
	}
	return b
}

func appendAccount(b []byte, a *account) []byte {
	b = append(b, recordAccount, recordVersion(a.withheld > 0))
	b = appendKey(b, &a.key)
	b = appendAmounts(b, a.limit, a.available, a.spent, a.writtenOff, a.presumed, a.overrun, a.short)
	b = binary.AppendVarint(b, int64(a.shortUntil))
	b = appendBool(appendString(b, a.shortNode), a.forgot)
	b = appendCount(b, len(a.leases))
	for _, l := range a.leases {
		b = appendString(b, l.node)
		b = appendBool(b, l.done)
		b = appendAmounts(b, l.granted, l.forced, l.spent, l.overrun, l.returned, l.rate, l.earlierSpent, l.earlierOverrun)
	}
	if a.withheld > 0 {
		b = appendAmounts(b, a.withheld)
	}
	return b
}

// Load builds the state that a sequence of records describes. It believes
// nothing: any sequence that [State.Records] could not have produced is an
// error, among them one that breaks conservation.
func Load(records iter.Seq2[[]byte, error]) (*State, error) {
	l := &loader{s: New()}
	for rec, err := range records {
		if err == nil {
			err = l.record(rec)
		}
		if err != nil {
			return nil, fmt.Errorf("ledger snapshot, record %d: %w", l.count, err)
		}
		l.count++
	}
	if l.stage != recordTail {
		return nil, fmt.Errorf("ledger snapshot: %w", errShort)
	}
	if err := l.s.Check(); err != nil {
		return nil, fmt.Errorf("ledger snapshot: %w", err)
	}
	return l.s, nil
}

type loader struct {
	s     *State
	stage byte // type of the record before
	count int
	last  AccountKey
}

var errOrder = errors.New("record out of order")

func (l *loader) record(b []byte) error {
	r := &reader{b: b}
	kind := r.byte()
	latest := byte(codecVersion)
	switch kind {
	case recordHead, recordAccount:
		latest = 2
	case recordBudget:
		latest = ruledVersion
	}
	version := r.versionUpTo(latest)
	restored := version == 2
	if r.err != nil {
		return r.err
	}
	if l.stage == 0 != (kind == recordHead) || kind < l.stage || l.stage == recordTail {
		return errOrder
	}
	first := kind != l.stage
	l.stage = kind
	switch kind {
	case recordHead:
		if l.s.now = r.instant(); l.s.now < 0 {
			r.fail(errRange)
		}
		if restored {
			if l.s.generation = r.uint32(); l.s.generation == 0 || l.s.generation > maxGeneration {
				r.fail(errRange)
			}
		}
		if !first {
			return errOrder
		}
		return r.end()
	case recordBudget:
		return l.rule(r, version)
	case recordNode:
		return l.node(r)
	case recordAccount:
		return l.account(r, first, restored)
	case recordTail:
		for _, size := range []int{l.s.budgets.size, l.s.nodes.size, l.s.accounts.size} {
			if n := r.uvarint(); r.err == nil && n != uint64(size) {
				r.fail(fmt.Errorf("counts %d records of %d", size, n))
			}
		}
		return r.end()
	}
	return fmt.Errorf("unknown record type %d", kind)
}

func (l *loader) rule(r *reader, version byte) error {
	b := r.budget()
	x := &rule{owner: l.s.epoch, budget: &b, deleted: r.bool(), beenSoft: r.bool()}
	if version >= 2 {
		if x.blind = r.instant(); x.blind < 0 || x.blind == 0 && version == 2 {
			r.fail(errRange)
		}
	}
	if version == ruledVersion {
		r.rulings(x)
	}
	if err := r.end(); err != nil {
		return err
	}
	if err := b.Validate(); err != nil {
		return err
	}
	if !x.validRulings(l.s.now) {
		return fmt.Errorf("budget %q has raises or trips that cannot be", b.ID)
	}
	if b.Soft && !x.beenSoft {
		return fmt.Errorf("budget %q is soft and never was", b.ID)
	}
	if err := appendInOrder(l.s, &l.s.budgets, b.ID, x, l.s.limits.budgets); err != nil {
		return err
	}
	if l.s.raises += len(x.raises); l.s.raises > l.s.limits.raises {
		return errors.New("more raises than there may be")
	}
	l.s.schedule(x)
	return nil
}

func (l *loader) node(r *reader) error {
	n := &node{
		owner: l.s.epoch, id: NodeID(r.string()), store: r.store(), incarnation: r.uint32(),
		fenced: r.bool(), markSeq: r.uvarint(), seq: r.uvarint(),
	}
	if r.bool() {
		n.answer = r.answer()
	}
	if err := r.end(); err != nil {
		return err
	}
	if n.id == "" || len(n.id) > MaxNodeID || n.incarnation == 0 ||
		(n.answer != nil) != (n.seq > 0 && !n.fenced) ||
		n.answer != nil && (n.answer.Node != n.id || n.answer.Seq != n.seq || n.answer.Incarnation != n.incarnation) {
		return fmt.Errorf("node %q: fields contradict each other", n.id)
	}
	return appendInOrder(l.s, &l.s.nodes, n.id, n, l.s.limits.nodes)
}

// appendInOrder adds an item that must come after those in the tree.
func appendInOrder[K cmp.Ordered, V any](s *State, t *tree[K, V], k K, v V, limit int) error {
	for after := range t.from(k) {
		return fmt.Errorf("%w: %v before %v", errOrder, after, k)
	}
	if t.size >= limit {
		return errors.New("more records than the table may have")
	}
	t.put(s.epoch, k, v)
	return nil
}

func (l *loader) account(r *reader, first, restored bool) error {
	s := l.s
	a := &account{
		owner: s.epoch, key: r.key(), limit: r.amount(), available: r.amount(), spent: r.amount(),
		writtenOff: r.amount(), presumed: r.amount(), overrun: r.amount(), short: r.amount(),
	}
	a.shortUntil, a.shortNode, a.forgot = r.instant(), NodeID(r.string()), r.bool()
	a.leases = list(r, 10, func() *lease {
		return &lease{
			owner: s.epoch, node: NodeID(r.string()), done: r.bool(),
			granted: r.amount(), forced: r.amount(), spent: r.amount(), overrun: r.amount(),
			returned: r.amount(), rate: r.amount(), earlierSpent: r.amount(), earlierOverrun: r.amount(),
		}
	})
	if restored {
		if a.withheld = r.amount(); a.withheld <= 0 {
			r.fail(errRange)
		}
	}
	if err := r.end(); err != nil {
		return err
	}
	if !first && a.key.compare(l.last) <= 0 {
		return fmt.Errorf("%w: account %s", errOrder, a.key)
	}
	l.last = a.key
	if err := s.adopt(a); err != nil {
		return err
	}
	s.refile(a)
	return nil
}

// adopt files an account that was read, after deriving what was not stored.
func (s *State) adopt(a *account) error {
	rule := s.editRule(a.key.Budget)
	if rule == nil {
		return fmt.Errorf("account %s has no budget", a.key)
	}
	start, end := rule.budget.Window.Bounds(a.key.Start)
	if start != a.key.Start || !a.key.Split.validFor(len(rule.budget.Each)) || !a.inRange() {
		return fmt.Errorf("account %s is out of range", a.key)
	}
	if rule.accounts >= s.limits.accountsPerBudget || s.accounts.size >= s.limits.accounts {
		return errors.New("more accounts than the table may have")
	}
	a.end, a.unit = end, rule.budget.Unit
	for i, l := range a.leases {
		if err := l.check(); err != nil {
			return fmt.Errorf("account %s: node %q: %w", a.key, l.node, err)
		}
		n := s.editNode(l.node)
		if n == nil || n.fenced || i > 0 && a.leases[i-1].node >= l.node || !s.leaseRoom(n, 1) {
			return fmt.Errorf("account %s: lease of node %q cannot be", a.key, l.node)
		}
		n.leases++
		s.holdings.put(s.epoch, holding{l.node, a.key}, struct{}{})
		a.rates += l.rate
		a.outstanding += l.outstanding()
		if a.outstanding > MaxAmount {
			return fmt.Errorf("account %s: %w", a.key, errRange)
		}
		if l.done {
			n.done++
		} else {
			a.open++
		}
	}
	rule.accounts++
	s.accounts.put(s.epoch, a.key, a)
	return nil
}

// inRange reports whether the stored amounts are small enough to be added up.
func (a *account) inRange() bool {
	return a.limit.valid() && a.available >= -MaxAmount && a.available <= MaxAmount &&
		a.spent.valid() && a.writtenOff.valid() && a.short.valid() && a.shortUntil >= 0 && len(a.shortNode) <= MaxNodeID &&
		a.key.Start > math.MinInt64
}
