package usage

import (
	"cmp"
	"slices"

	"purser/ledger"
)

// otherValue stands in a rollup for the values of a field that were given up there. As a
// value of a record it is taken for the same.
const otherValue = "other"

// unbounded are the fields that have about a value for each request or run: rollups have
// "other" for all of them.
func (f Field) unbounded() bool {
	return f.kind == parent || f.kind == dimension && (f.dim.Dim == ledger.DimRun || f.dim.Dim == ledger.DimSession)
}

func (f Field) isTag() bool { return f.kind == dimension && f.dim.Dim == ledger.DimTag }

// ofTime says whether the field follows from when a request arrived, as far as the start
// of a bucket tells.
func (f Field) ofTime() bool {
	switch f.kind {
	case minute, hour, day, week, month:
		return true
	default:
		return false
	}
}

// coarsest is the longest bucket that lies within one value of the field.
func (f Field) coarsest() level {
	switch f.kind {
	case minute:
		return minutes
	case hour:
		return hours
	default:
		return days
	}
}

// cheap weighs how readily a field's rarer values are given up when a bucket has too many
// rows. Whose money it was is given up last.
func (f Field) cheap() int {
	switch f.kind {
	case dimension:
		switch f.dim.Dim {
		case ledger.DimTag:
			return 16
		case ledger.DimKey, ledger.DimMember, ledger.DimPrompt:
			return 4
		default:
			return 1
		}
	case step, client, credential, rate, promptVersion:
		return 16
	default:
		return 4
	}
}

// ending says whether the field is about how a call ended; see sets.
func (f Field) ending() bool {
	switch f.kind {
	case outcome, status, code, errorClass, cache, semantic, basis, bound, compression:
		return true
	default:
		return false
	}
}

// rolledFields are the columns that every bucket has. Its tags come after them.
var rolledFields = func() (list []Field) {
	for d := range ledger.NumDims {
		list = append(list, DimField(ledger.DimRef{Dim: ledger.Dim(d)}))
	}
	for k := range numKinds {
		if f := (Field{kind: k}); k != dimension && !f.ofTime() {
			list = append(list, f)
		}
	}
	return list
}()

// tagsMost bounds the tags that a bucket has columns of; it says of those beyond that they
// were given up.
const tagsMost = 64

// numMeasures is how many numbers a row can be made of.
const numMeasures = baseMeasures + maxMeters + maxLevers + maxOutcomes

// The numbers of measures are stored. Each block of them has room to grow.
const (
	baseMeasures = 32
	maxMeters    = 64
	maxLevers    = 32
	maxOutcomes  = 32

	measureCost     = 4
	measureList     = 5
	measurePriced   = 6
	measureBaseline = 9
	measureBound    = 13 // the one that is a maximum, not a sum
)

// number points at a measure of a row; nil where there is none of that stored number.
func (r *Row) number(number int) *int64 {
	switch {
	case number < baseMeasures:
		return r.base(number)
	case number < baseMeasures+maxMeters:
		if i := number - baseMeasures; i < len(r.Usage) {
			return &r.Usage[i]
		}
	case number < baseMeasures+maxMeters+maxLevers:
		if i := number - baseMeasures - maxMeters; i < len(r.Saved) {
			return (*int64)(&r.Saved[i])
		}
	default:
		if i := number - baseMeasures - maxMeters - maxLevers; i < len(r.Outcomes) {
			return &r.Outcomes[i]
		}
	}
	return nil
}

func (r *Row) base(number int) *int64 {
	switch number {
	case 0:
		return &r.Requests
	case 1:
		return &r.Records
	case 2:
		return &r.Attempts
	case 3:
		return &r.Retries
	case measureCost:
		return (*int64)(&r.Cost)
	case measureList:
		return (*int64)(&r.List)
	case measurePriced:
		return (*int64)(&r.Priced)
	case 7:
		return (*int64)(&r.Hold)
	case 8:
		return (*int64)(&r.Overrun)
	case measureBaseline:
		return (*int64)(&r.Baseline)
	case 10:
		return (*int64)(&r.Presumed)
	case 11:
		return (*int64)(&r.Adjusted)
	case 12:
		return &r.Semantic
	case measureBound:
		return &r.SemanticBound
	default:
		return nil
	}
}

// isFromCost says whether a measure mostly equals the cost, and is stored as the difference.
func isFromCost(number int) bool {
	return number == measureList || number == measurePriced || number == measureBaseline
}

// addCost completes a row whose measures were read as they are stored.
func (r *Row) addCost() {
	r.List += r.Cost
	r.Priced += r.Cost
	r.Baseline += r.Cost
}

// dict numbers the values of a column. Number 0 is "", that of what has none.
type dict struct {
	of     map[string]uint32
	values []string
	closed bool // what it has not is other

	last       string // the value asked for last, and the answer: the next record often has it, too
	lastNumber uint32
	lastGiven  bool
}

func newDict() dict { return dict{of: map[string]uint32{"": 0}, values: []string{""}} }

// number is that of a value, which it gets where it has none; not given: that of "other".
func (d *dict) number(v string) (n uint32, given bool) {
	if v == d.last && len(v) > 0 {
		return d.lastNumber, d.lastGiven
	}
	n, given = d.of[v]
	switch {
	case given:
	case d.closed:
		n = d.insert(otherValue)
	default:
		n, given = d.insert(v), true
	}
	d.last, d.lastNumber, d.lastGiven = v, n, given
	return n, given
}

func (d *dict) insert(v string) uint32 {
	if n, ok := d.of[v]; ok {
		return n
	}
	n := uint32(len(d.values))
	d.of[v] = n
	d.values = append(d.values, v)
	return n
}

// top are the numbers of the values with the most behind them, at most n.
func top(weight []int64, n int) map[uint32]bool {
	order := make([]uint32, 0, len(weight))
	for i, w := range weight {
		if w > 0 {
			order = append(order, uint32(i))
		}
	}
	slices.SortFunc(order, func(a, b uint32) int { return cmp.Or(cmp.Compare(weight[b], weight[a]), cmp.Compare(a, b)) })
	keep := map[uint32]bool{}
	for _, i := range order[:min(n, len(order))] {
		keep[i] = true
	}
	return keep
}
