package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

var (
	errShort   = errors.New("ends early")
	errMinimal = errors.New("integer is not minimal")
	errRange   = errors.New("integer out of range")
	errRest    = errors.New("bytes after the end")
)

// DecodeCommand is the inverse of [AppendCommand]. It never panics, and
// allocates at most in proportion to len(b). An error means that the bytes are
// not a command that this version knows.
func DecodeCommand(b []byte) (Command, error) {
	r := &reader{b: b}
	kind := Kind(r.byte())
	latest := byte(codecVersion)
	if kind == KindPutBudget {
		latest = putBudgetVersion
	}
	version := r.versionUpTo(latest)
	var c Command
	switch kind {
	case KindPutBudget:
		c = r.putBudget(version)
	case KindDeleteBudget:
		c = DeleteBudget{ID: BudgetID(r.string())}
	case KindRegister:
		c = r.register()
	case KindExchange:
		c = r.exchange()
	case KindTick:
		c = Tick{}
	case KindFence:
		c = Fence{Node: NodeID(r.string())}
	case KindRestore:
		c = Restore{Generation: r.uint32()}
	case KindRelease:
		c = Release{ID: BudgetID(r.string())}
	case KindCheckpoint:
		c = Checkpoint{Index: r.uvarint(), Digest: r.digest()}
	case KindPutRaise:
		c = PutRaise{Raise: r.raise(BudgetID(r.string()))}
	case KindEndRaise:
		c = EndRaise{Budget: BudgetID(r.string()), ID: RaiseID(r.string())}
	case KindTrip:
		c = TripBudget{Scope: r.scope(BudgetID(r.string())), Cause: Cause(r.byte()), Reason: r.string(), For: r.instant()}
	case KindReset:
		c = ResetBreaker{Scope: r.scope(BudgetID(r.string())), Close: r.bool()}
	case KindProbed:
		c = Probed{Scope: r.scope(BudgetID(r.string())), Serial: r.uint32(), Good: r.bool()}
	default:
		r.fail(fmt.Errorf("unknown kind %d", kind))
	}
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("ledger command: %w", err)
	}
	return c, nil
}

// DecodeOutcome is the inverse of [AppendOutcome], with the same guarantees as
// [DecodeCommand].
func DecodeOutcome(b []byte) (Outcome, error) {
	r := &reader{b: b}
	r.version()
	o := Outcome{Code: Code(r.byte()), Incarnation: r.uint32()}
	if r.bool() {
		o.Answer = r.answer()
	}
	if err := r.end(); err != nil {
		return Outcome{}, fmt.Errorf("ledger outcome: %w", err)
	}
	return o, nil
}

// reader takes values off the front of b. After the first error it returns
// zeros and keeps that error.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

// end returns the first error; bytes that are left over are one.
func (r *reader) end() error {
	if r.err == nil && len(r.b) > 0 {
		r.err = errRest
	}
	return r.err
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail(errShort)
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) version() { r.versionUpTo(codecVersion) }

// versionUpTo reads a version of a record that has had that many.
func (r *reader) versionUpTo(latest byte) byte {
	v := r.byte()
	if r.err == nil && (v < 1 || v > latest) {
		r.fail(fmt.Errorf("unknown version %d", v))
	}
	return v
}

func (r *reader) bool() bool {
	v := r.byte()
	if v > 1 {
		r.fail(errRange)
	}
	return v == 1
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	switch {
	case n == 0:
		r.fail(errShort)
		return 0
	case n < 0:
		r.fail(errRange)
		return 0
	case n > 1 && r.b[n-1] == 0:
		r.fail(errMinimal)
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	u := r.uvarint()
	v := int64(u >> 1)
	if u&1 != 0 {
		v = ^v
	}
	return v
}

func (r *reader) uint32() uint32 {
	v := r.uvarint()
	if v > math.MaxUint32 {
		r.fail(errRange)
		return 0
	}
	return uint32(v)
}

func (r *reader) uint16() uint16 {
	v := r.uvarint()
	if v > math.MaxUint16 {
		r.fail(errRange)
		return 0
	}
	return uint16(v)
}

func (r *reader) int32() int32 {
	v := r.varint()
	if v < math.MinInt32 || v > math.MaxInt32 {
		r.fail(errRange)
		return 0
	}
	return int32(v)
}

func (r *reader) amount() Amount   { return Amount(r.varint()) }
func (r *reader) instant() Instant { return Instant(r.varint()) }

func (r *reader) string() string {
	n := r.count(1)
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

// count reads the length of a list whose elements take at least size bytes
// each, so that a false length cannot make the caller allocate.
func (r *reader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.b)/size) {
		r.fail(errShort)
		return 0
	}
	return int(n)
}

// list reads a list of elements of at least size bytes each; none is nil.
func list[T any](r *reader, size int, element func() T) []T {
	n := r.count(size)
	if n == 0 {
		return nil
	}
	out := make([]T, n)
	for i := range out {
		out[i] = element()
		if r.err != nil {
			return nil
		}
	}
	return out
}

func (r *reader) key() AccountKey {
	return AccountKey{Budget: BudgetID(r.string()), Split: Split(r.string()), Start: r.instant()}
}

func (r *reader) dimRef() DimRef { return DimRef{Dim: Dim(r.byte()), Tag: r.string()} }

func (r *reader) budget() Budget {
	b := Budget{ID: BudgetID(r.string())}
	b.Match = list(r, 3, func() Condition {
		return Condition{Dim: r.dimRef(), Values: list(r, 1, r.string)}
	})
	b.Each = list(r, 2, r.dimRef)
	b.Unit = Unit(r.byte())
	b.Limit = r.amount()
	b.Window.Kind = WindowKind(r.byte())
	b.Window.Zone.Name = r.string()
	b.Window.Zone.Base = r.int32()
	b.Window.Zone.Transitions = list(r, 2, func() Transition {
		return Transition{At: r.instant(), Offset: r.int32()}
	})
	b.Soft = r.bool()
	b.Alerts = list(r, 1, r.byte)
	return b
}

func (r *reader) putBudget(version byte) PutBudget {
	c := PutBudget{Budget: r.budget()}
	if version == putBudgetVersion {
		c.Budget.Breaker, c.Expect = r.breaker(), r.uvarint()
		if r.err == nil && c.Expect == 0 && c.Budget.Breaker == (Breaker{}) {
			r.fail(errRange) // the first version says that
		}
	}
	return c
}

func (r *reader) store() (id StoreID) {
	copy(id[:], r.bytes(len(id)))
	return id
}

func (r *reader) digest() (d [32]byte) {
	copy(d[:], r.bytes(len(d)))
	return d
}

// bytes takes n bytes, or none.
func (r *reader) bytes(n int) []byte {
	if len(r.b) < n {
		r.fail(errShort)
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) register() Register {
	return Register{
		Node: NodeID(r.string()), Store: r.store(), Previous: r.uint32(), MarkSeq: r.uvarint(),
		Evidence: list(r, 7, func() Evidence {
			return Evidence{
				Account: r.key(), Incarnation: r.uint32(),
				Mark: r.amount(), Proven: r.amount(), Overrun: r.amount(),
			}
		}),
	}
}

func (r *reader) exchange() *Exchange {
	return &Exchange{
		Node: NodeID(r.string()), Incarnation: r.uint32(), Seq: r.uvarint(), MarkSeq: r.uvarint(),
		Rows: list(r, 9, func() Row {
			return Row{
				Account: r.key(), Spent: r.amount(), Overrun: r.amount(), Returned: r.amount(),
				Want: r.amount(), Rate: r.amount(), Done: r.bool(),
			}
		}),
		Needs: list(r, 1, func() Need {
			return Need{Claims: list(r, 2, func() Claim {
				return Claim{Row: int(r.varint()), Missing: r.amount()}
			})}
		}),
	}
}

func (r *reader) answer() *Answer {
	return &Answer{
		Node: NodeID(r.string()), Incarnation: r.uint32(), Seq: r.uvarint(),
		Rows: list(r, 4, func() AnswerRow {
			return AnswerRow{State: AccountState(r.byte()), Granted: r.amount(), Ceiling: r.amount(), Recall: r.amount()}
		}),
		Needs: list(r, 2, func() NeedResult {
			return NeedResult{Verdict: Verdict(r.byte()), Row: int(r.varint())}
		}),
	}
}
