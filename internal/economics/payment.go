package economics

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"

	"purser/ledger"
)

// Payment is what a customer pays for a time, as somebody says.
type Payment struct {
	ID       string // of the statement; a correction has it, too
	Revision int64  // the highest counts, from 1
	Customer string // value of the dimension
	Plan     string // "" where it is not said
	Cohort   string
	From, To ledger.Instant
	Amount   ledger.Amount  // nano-dollars for the whole of it; negative: paid back
	Taken    ledger.Instant // when it was told
}

// Until is the part of the payment that falls before an instant, as if it came evenly over
// its time, rounded down. Parts of consecutive times add up to the whole exactly.
func (p *Payment) Until(at ledger.Instant) ledger.Amount {
	switch {
	case at <= p.From:
		return 0
	case at >= p.To:
		return p.Amount
	case p.Amount < 0:
		return -scaled(-p.Amount, uint64(at-p.From), uint64(p.To-p.From))
	}
	return scaled(p.Amount, uint64(at-p.From), uint64(p.To-p.From))
}

// scaled is amount · part / whole, rounded down; part is not above whole.
func scaled(amount ledger.Amount, part, whole uint64) ledger.Amount {
	hi, lo := bits.Mul64(uint64(amount), part)
	q, _ := bits.Div64(hi, lo, whole)
	return ledger.Amount(q)
}

// Revenue is what customers paid, to be looked up.
type Revenue struct {
	of map[string][]Payment // by customer, in the order of From
}

// NewRevenue takes payments, each id once.
func NewRevenue(list []Payment) *Revenue {
	r := &Revenue{of: map[string][]Payment{}}
	for _, p := range list {
		r.of[p.Customer] = append(r.of[p.Customer], p)
	}
	for _, list := range r.of {
		slices.SortFunc(list, func(a, b Payment) int { return cmp.Or(cmp.Compare(a.From, b.From), strings.Compare(a.ID, b.ID)) })
	}
	return r
}

// Customers lists those that there is anything of, in order.
func (r *Revenue) Customers() []string {
	list := make([]string, 0, len(r.of))
	for c := range r.of {
		list = append(list, c)
	}
	slices.Sort(list)
	return list
}

// Between is what a customer paid for [from, to), and whether anything is known of that
// time: a known payment of nothing is not the same as none.
func (r *Revenue) Between(customer string, from, to ledger.Instant) (sum ledger.Amount, known bool) {
	for i := range r.of[customer] {
		p := &r.of[customer][i]
		if p.From >= to {
			break
		}
		if p.To > from {
			known = true
			sum += p.Until(to) - p.Until(from)
		}
	}
	return sum, known
}

// Plan is the plan and the cohort of a customer at an instant, each as the last payment of
// that time says which says one.
func (r *Revenue) Plan(customer string, at ledger.Instant) (plan, cohort string) {
	for i := range r.of[customer] {
		p := &r.of[customer][i]
		if p.From > at {
			break
		}
		if p.To > at {
			plan, cohort = cmp.Or(p.Plan, plan), cmp.Or(p.Cohort, cohort)
		}
	}
	return plan, cohort
}
