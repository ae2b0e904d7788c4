package economics

import (
	"cmp"
	"errors"
	"math/bits"
	"slices"

	"purser/ledger"
)

// Measure is one thing that can be known of what was had.
type Measure uint8

// The measures.
const (
	Counted Measure = iota // that there was an outcome
	Told                   // whether it was a success
	Judged                 // its quality
	Valued                 // its value
	Paid                   // what the customer paid for the time
	NumMeasures
)

// Gain is something that was had for a set of requests: the outcomes of a run, or what a
// customer paid for a time.
type Gain struct {
	Evidence
	Revenue ledger.Amount // nano-dollars
	Paid    bool          // Revenue is known
}

// says lists what is known of the gain.
func (g *Gain) says() (m [NumMeasures]bool) {
	m[Counted] = g.Outcomes > 0
	m[Told] = g.Successes+g.Failures > 0
	m[Judged] = g.Evidence.Judged > 0
	m[Valued] = g.Evidence.Valued > 0
	m[Paid] = g.Paid
	return m
}

// Sum is what a cell, a group or the whole has. All of it adds up: a group's is that of its
// cells, and the whole's that of all groups.
type Sum struct {
	Requests int64
	Cost     ledger.Amount

	// Had is what was had. Outcomes, Successes, Failures, Judged and Valued are in parts of
	// [Whole], since one outcome can be of requests in several cells; Quality is in parts of
	// a quality of 1, and Value in nano-dollars, as ever.
	Had     Evidence
	Revenue ledger.Amount
	// Shared is the part of Had.Outcomes, in parts of Whole, of outcomes that are divided
	// among cells.
	Shared int64

	// Of is the cost of the requests of which each measure is known, each request once.
	Of [NumMeasures]ledger.Amount
	// Knows says of which measures anything is known, be it that it is nothing.
	Knows [NumMeasures]bool
}

// Add adds another.
func (s *Sum) Add(o *Sum) {
	s.Requests += o.Requests
	s.Cost += o.Cost
	s.Had.Add(o.Had)
	s.Revenue += o.Revenue
	s.Shared += o.Shared
	for m := range s.Of {
		s.Of[m] += o.Of[m]
		s.Knows[m] = s.Knows[m] || o.Knows[m]
	}
}

// Limits of books: each share is about 60 bytes while they are open.
const (
	MaxShares = 4_000_000
	MaxCells  = 200_000
)

// ErrTooWide is a question with too many groups for the outcomes there are.
var ErrTooWide = errors.New("the outcomes of that time fall into too many groups: ask about a shorter time, fewer groups or one outcome")

// Beyond is the cell of requests that the reader may not see. What is had for requests on
// both sides is divided all the same.
const Beyond = -1

// Books say what was had for the money, by cell: a group of requests within an interval.
//
// A gain counts once. Where its requests fall into several cells, it is divided among them
// by their cost (by their number, where none of them cost anything), in whole parts that
// add up to it exactly; the parts that are left over by rounding go to those with the
// largest remainders. So every grouping adds up to the same whole.
type Books struct {
	gains  []Gain
	says   [][NumMeasures]bool
	shares [][]share        // by gain, in the order in which their cells were met
	far    map[uint64]int32 // where the share of a gain and a cell is in its list
	cells  []Sum
	count  int
}

// lately is how many of a gain's last cells are looked at before far is asked: the requests
// of a run come one after another, mostly into one cell.
const lately = 4

// share is a cell's part of a gain's requests.
type share struct {
	cell     int32
	requests int32
	cost     ledger.Amount
}

// NewBooks opens books for gains. More can be added.
func NewBooks(gains []Gain) *Books {
	b := &Books{far: map[uint64]int32{}}
	for _, g := range gains {
		b.Gain(g)
	}
	return b
}

// Gain adds a gain and returns its number.
func (b *Books) Gain(g Gain) int32 {
	b.gains = append(b.gains, g)
	b.says = append(b.says, g.says())
	b.shares = append(b.shares, nil)
	return int32(len(b.gains) - 1)
}

// Cell adds a cell and returns its number.
func (b *Books) Cell() int32 {
	b.cells = append(b.cells, Sum{})
	return int32(len(b.cells) - 1)
}

// Request enters what was charged for a request, or a part of it, in a cell, and the gains
// that it is part of, each once. begins says that it is a request's first part.
func (b *Books) Request(cell int32, cost ledger.Amount, begins bool, gains []int32) error {
	var knows [NumMeasures]bool
	for _, g := range gains {
		for m, known := range b.says[g] {
			knows[m] = knows[m] || known
		}
		if err := b.share(g, cell, cost); err != nil {
			return err
		}
	}
	if cell == Beyond {
		return nil
	}
	c := &b.cells[cell]
	c.Cost += cost
	if begins {
		c.Requests++
	}
	for m, known := range knows {
		if known {
			c.Of[m] += cost
		}
	}
	return nil
}

func (b *Books) share(gain, cell int32, cost ledger.Amount) error {
	list, at := b.shares[gain], uint64(uint32(gain))<<32|uint64(uint32(cell))
	i := len(list) - 1
	for ; i >= 0 && i >= len(list)-lately && list[i].cell != cell; i-- {
	}
	if i >= 0 && list[i].cell != cell {
		i = -1
		if known, ok := b.far[at]; ok {
			i = int(known)
		}
	}
	if i < 0 {
		if b.count++; b.count > MaxShares {
			return ErrTooWide
		}
		i = len(list)
		list = append(list, share{cell: cell})
		b.shares[gain], b.far[at] = list, int32(i)
	}
	list[i].requests++
	list[i].cost += cost
	return nil
}

// Straight gives a cell what no request is part of.
func (b *Books) Straight(cell int32, revenue ledger.Amount) {
	b.cells[cell].Revenue += revenue
	b.cells[cell].Knows[Paid] = true
}

// Joined says whether any request is part of a gain.
func (b *Books) Joined(gain int32) bool { return len(b.shares[gain]) > 0 }

// Close divides the gains and returns the cells. order compares two cells by what they stand
// for, so that what is left over by rounding falls alike whatever the order of requests.
func (b *Books) Close(order func(a, b int32) int) []Sum {
	for i := range b.gains {
		b.divide(&b.gains[i], b.says[i], b.shares[i], order)
	}
	return b.cells
}

func (b *Books) divide(g *Gain, says [NumMeasures]bool, list []share, order func(a, b int32) int) {
	if len(list) == 0 {
		return
	}
	weights := make([]uint64, len(list))
	var all uint64
	for i, s := range list {
		weights[i] = uint64(max(s.cost, 0)) // what was paid back weighs nothing
		all += weights[i]
	}
	if all == 0 {
		for i, s := range list {
			weights[i] = uint64(s.requests)
			all += weights[i]
		}
	}
	d := divider{list, weights, all, order}
	b.give(list, d.parts(g.Outcomes*Whole), func(c *Sum, v int64) {
		c.Had.Outcomes += v
		if len(list) > 1 {
			c.Shared += v
		}
	})
	b.give(list, d.parts(g.Successes*Whole), func(c *Sum, v int64) { c.Had.Successes += v })
	b.give(list, d.parts(g.Failures*Whole), func(c *Sum, v int64) { c.Had.Failures += v })
	b.give(list, d.parts(g.Evidence.Judged*Whole), func(c *Sum, v int64) { c.Had.Judged += v })
	b.give(list, d.parts(g.Evidence.Valued*Whole), func(c *Sum, v int64) { c.Had.Valued += v })
	b.give(list, d.parts(g.Quality), func(c *Sum, v int64) { c.Had.Quality += v })
	b.give(list, d.parts(int64(g.Value)), func(c *Sum, v int64) { c.Had.Value += ledger.Amount(v) })
	b.give(list, d.parts(int64(g.Revenue)), func(c *Sum, v int64) { c.Revenue += ledger.Amount(v) })
	for _, s := range list {
		if s.cell == Beyond {
			continue
		}
		for m, known := range says {
			c := &b.cells[s.cell]
			c.Knows[m] = c.Knows[m] || known
		}
	}
}

func (b *Books) give(list []share, parts []int64, add func(*Sum, int64)) {
	for i, v := range parts {
		if c := list[i].cell; c != Beyond {
			add(&b.cells[c], v)
		}
	}
}

// divider divides amounts by weights, in whole parts, by largest remainder.
type divider struct {
	list    []share
	weights []uint64
	all     uint64 // their sum, above 0
	order   func(a, b int32) int
}

// parts add up to total; nil for 0.
func (d *divider) parts(total int64) []int64 {
	if total == 0 {
		return nil
	}
	amount, sign := uint64(total), int64(1)
	if total < 0 {
		amount, sign = uint64(-total), -1
	}
	out := make([]int64, len(d.weights))
	left, remainders := amount, make([]uint64, len(d.weights))
	for i, w := range d.weights {
		hi, lo := bits.Mul64(amount, w)
		q, r := bits.Div64(hi, lo, d.all)
		out[i], remainders[i] = int64(q), r
		left -= q
	}
	if left > 0 {
		by := make([]int, len(out))
		for i := range by {
			by[i] = i
		}
		slices.SortFunc(by, func(a, b int) int {
			return cmp.Or(cmp.Compare(remainders[b], remainders[a]), d.compare(d.list[a].cell, d.list[b].cell))
		})
		for _, i := range by[:left] {
			out[i]++
		}
	}
	for i := range out {
		out[i] *= sign
	}
	return out
}

func (d *divider) compare(a, b int32) int {
	if a == Beyond || b == Beyond {
		return cmp.Compare(a, b)
	}
	return d.order(a, b)
}
