package ledger

import (
	"encoding/binary"
	"fmt"
)

// The bytes of commands and outcomes are formats: they are in the log of every
// cluster. A command is its kind, a version, and its fields in order; integers
// are minimal varints (zigzag where they may be negative), strings and lists
// carry their length. Every value has one encoding, and every command that can
// be built in memory can be decoded again, sensible or not: what to refuse is
// for Apply to say, since an entry that cannot be decoded stops the node (L10).

// codecVersion is the version of every kind; a PutBudget that says more than the
// first ones could is of version putBudgetVersion.
const (
	codecVersion     = 1
	putBudgetVersion = 2
)

// AppendCommand appends the bytes of c to b.
func AppendCommand(b []byte, c Command) []byte {
	if c, ok := c.(PutBudget); ok && (c.Expect != 0 || c.Budget.Breaker != Breaker{}) {
		b = append(b, byte(KindPutBudget), putBudgetVersion)
		b = appendBreaker(appendBudget(b, &c.Budget), &c.Budget.Breaker)
		return binary.AppendUvarint(b, c.Expect)
	}
	b = append(b, byte(c.Kind()), codecVersion)
	switch c := c.(type) {
	case PutBudget:
		return appendBudget(b, &c.Budget)
	case DeleteBudget:
		return appendString(b, c.ID)
	case Register:
		return appendRegister(b, &c)
	case *Exchange:
		return appendExchange(b, c)
	case Tick:
		return b
	case Fence:
		return appendString(b, c.Node)
	case Restore:
		return binary.AppendUvarint(b, uint64(c.Generation))
	case Release:
		return appendString(b, c.ID)
	case PutRaise:
		return appendRaise(appendString(b, c.Raise.Budget), &c.Raise)
	case EndRaise:
		return appendString(appendString(b, c.Budget), c.ID)
	case TripBudget:
		b = append(appendScope(appendString(b, c.Scope.Budget), c.Scope), byte(c.Cause))
		return binary.AppendVarint(appendString(b, c.Reason), int64(c.For))
	case ResetBreaker:
		return appendBool(appendScope(appendString(b, c.Scope.Budget), c.Scope), c.Close)
	case Probed:
		b = appendScope(appendString(b, c.Scope.Budget), c.Scope)
		return appendBool(binary.AppendUvarint(b, uint64(c.Serial)), c.Good)
	case Checkpoint:
		return append(binary.AppendUvarint(b, c.Index), c.Digest[:]...)
	default:
		panic(fmt.Sprintf("ledger: unknown command %T", c))
	}
}

// AppendOutcome appends the bytes of o to b.
func AppendOutcome(b []byte, o Outcome) []byte {
	b = append(b, codecVersion, byte(o.Code))
	b = binary.AppendUvarint(b, uint64(o.Incarnation))
	b = appendBool(b, o.Answer != nil)
	if o.Answer != nil {
		b = appendAnswer(b, o.Answer)
	}
	return b
}

func appendString[S ~string](b []byte, s S) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendAmounts(b []byte, amounts ...Amount) []byte {
	for _, a := range amounts {
		b = binary.AppendVarint(b, int64(a))
	}
	return b
}

func appendCount(b []byte, n int) []byte { return binary.AppendUvarint(b, uint64(n)) }

func appendKey(b []byte, k *AccountKey) []byte {
	b = appendString(b, k.Budget)
	b = appendString(b, k.Split)
	return binary.AppendVarint(b, int64(k.Start))
}

func appendDimRef(b []byte, r DimRef) []byte {
	b = append(b, byte(r.Dim))
	return appendString(b, r.Tag)
}

func appendBudget(b []byte, x *Budget) []byte {
	b = appendString(b, x.ID)
	b = appendCount(b, len(x.Match))
	for i := range x.Match {
		b = appendDimRef(b, x.Match[i].Dim)
		b = appendCount(b, len(x.Match[i].Values))
		for _, v := range x.Match[i].Values {
			b = appendString(b, v)
		}
	}
	b = appendCount(b, len(x.Each))
	for _, r := range x.Each {
		b = appendDimRef(b, r)
	}
	b = append(b, byte(x.Unit))
	b = appendAmounts(b, x.Limit)
	b = append(b, byte(x.Window.Kind))
	b = appendString(b, x.Window.Zone.Name)
	b = binary.AppendVarint(b, int64(x.Window.Zone.Base))
	b = appendCount(b, len(x.Window.Zone.Transitions))
	for _, t := range x.Window.Zone.Transitions {
		b = binary.AppendVarint(b, int64(t.At))
		b = binary.AppendVarint(b, int64(t.Offset))
	}
	b = appendBool(b, x.Soft)
	b = appendCount(b, len(x.Alerts))
	return append(b, x.Alerts...)
}

func appendRegister(b []byte, r *Register) []byte {
	b = appendString(b, r.Node)
	b = append(b, r.Store[:]...)
	b = binary.AppendUvarint(b, uint64(r.Previous))
	b = binary.AppendUvarint(b, r.MarkSeq)
	b = appendCount(b, len(r.Evidence))
	for i := range r.Evidence {
		e := &r.Evidence[i]
		b = appendKey(b, &e.Account)
		b = binary.AppendUvarint(b, uint64(e.Incarnation))
		b = appendAmounts(b, e.Mark, e.Proven, e.Overrun)
	}
	return b
}

func appendExchange(b []byte, x *Exchange) []byte {
	b = appendString(b, x.Node)
	b = binary.AppendUvarint(b, uint64(x.Incarnation))
	b = binary.AppendUvarint(b, x.Seq)
	b = binary.AppendUvarint(b, x.MarkSeq)
	b = appendCount(b, len(x.Rows))
	for i := range x.Rows {
		r := &x.Rows[i]
		b = appendKey(b, &r.Account)
		b = appendAmounts(b, r.Spent, r.Overrun, r.Returned, r.Want, r.Rate)
		b = appendBool(b, r.Done)
	}
	b = appendCount(b, len(x.Needs))
	for i := range x.Needs {
		b = appendCount(b, len(x.Needs[i].Claims))
		for _, c := range x.Needs[i].Claims {
			b = binary.AppendVarint(b, int64(c.Row))
			b = appendAmounts(b, c.Missing)
		}
	}
	return b
}

func appendAnswer(b []byte, a *Answer) []byte {
	b = appendString(b, a.Node)
	b = binary.AppendUvarint(b, uint64(a.Incarnation))
	b = binary.AppendUvarint(b, a.Seq)
	b = appendCount(b, len(a.Rows))
	for i := range a.Rows {
		r := &a.Rows[i]
		b = append(b, byte(r.State))
		b = appendAmounts(b, r.Granted, r.Ceiling, r.Recall)
	}
	b = appendCount(b, len(a.Needs))
	for _, n := range a.Needs {
		b = append(b, byte(n.Verdict))
		b = binary.AppendVarint(b, int64(n.Row))
	}
	return b
}
