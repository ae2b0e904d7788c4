// Package statement makes showback and chargeback statements: what one team, customer or
// other value of a dimension used in a period, line by line, what is charged for it, and
// its part of what nobody owns.
//
// It is pure and exact: amounts are nano-dollars, and the parts of an amount that is
// divided add up to it (largest remainder).
package statement

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"

	"purser/ledger"
)

// Million is a markup of 100 %.
const Million = 1_000_000

// Sharing says what becomes of spending that has no value of the dimension.
type Sharing string

// The ways of sharing.
const (
	NotShared    Sharing = "none"         // it stays with nobody, and is shown
	Proportional Sharing = "proportional" // by what each spent itself
	Even         Sharing = "even"         // each that spent something has the same part
)

// Sharings are all of them.
var Sharings = []Sharing{NotShared, Proportional, Even}

// Used is what one owner used of one thing, as a line has it.
type Used struct {
	Owner string   // "" for nobody
	Of    []string // the values that lines are divided by, such as model and feature

	Requests              int64
	Input, Cached, Output int64 // tokens; Cached is the part of Input that the provider's cache had
	List, Cost, Saved     ledger.Amount
	Adjusted              ledger.Amount // the part of Cost that corrections and adjustments are
}

// Terms say how a statement is made.
type Terms struct {
	Sharing Sharing
	Markup  int64 // millionths that are added to the cost; may be negative
}

// Line is what one thing cost.
type Line struct {
	Used
	Charge ledger.Amount // Cost and the markup
}

// Statement is of one owner.
type Statement struct {
	Owner string
	Lines []Line // the dearest first
	// Own is the sum of the lines, without Charge.
	Own    Used
	Shared ledger.Amount // the owner's part of what nobody owns
	Cost   ledger.Amount // Own.Cost and Shared
	Markup ledger.Amount
	Charge ledger.Amount // Cost and Markup
}

// Statements are those of a period: what they cost is what was spent in it.
type Statements struct {
	All []Statement // the dearest first
	// Unshared is what nobody owns and is shared by nobody.
	Unshared ledger.Amount
	Cost     ledger.Amount // of All and Unshared
}

// Make makes the statements of all owners.
func Make(used []Used, t Terms) Statements {
	of := map[string]*Statement{}
	var out Statements
	var nobody ledger.Amount
	for _, u := range used {
		out.Cost += u.Cost
		if u.Owner == "" {
			nobody += u.Cost
			continue
		}
		s := of[u.Owner]
		if s == nil {
			s = &Statement{Owner: u.Owner, Own: Used{Owner: u.Owner}}
			of[u.Owner] = s
		}
		s.Lines = append(s.Lines, Line{Used: u})
		s.Own.add(&u)
	}
	var all []*Statement
	for _, s := range of {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *Statement) int {
		return cmp.Or(cmp.Compare(b.Own.Cost, a.Own.Cost), strings.Compare(a.Owner, b.Owner))
	})
	out.Unshared = share(all, nobody, t.Sharing)
	for _, s := range all {
		s.charge(t.Markup)
		out.All = append(out.All, *s)
	}
	return out
}

func (u *Used) add(o *Used) {
	u.Requests += o.Requests
	u.Input += o.Input
	u.Cached += o.Cached
	u.Output += o.Output
	u.List += o.List
	u.Cost += o.Cost
	u.Saved += o.Saved
	u.Adjusted += o.Adjusted
}

// share gives each its part of an amount, and returns what is left: all of it where there
// is nobody to share it.
func share(all []*Statement, amount ledger.Amount, how Sharing) ledger.Amount {
	weights := make([]ledger.Amount, len(all))
	for i, s := range all {
		switch {
		case how == Proportional:
			weights[i] = max(s.Own.Cost, 0)
		case how == Even && s.Own.Cost > 0:
			weights[i] = 1
		}
	}
	parts, ok := Divide(amount, weights)
	if !ok {
		return amount
	}
	for i, s := range all {
		s.Shared = parts[i]
	}
	return 0
}

// Divide divides an amount by weights that are not negative: the parts add up to it, and
// none is more than one nano-dollar from its exact share. It is false where the weights
// are all 0.
func Divide(amount ledger.Amount, weights []ledger.Amount) ([]ledger.Amount, bool) {
	var sum uint64
	for _, w := range weights {
		sum += uint64(w)
	}
	if sum == 0 {
		return nil, false
	}
	sign, whole := ledger.Amount(1), uint64(amount)
	if amount < 0 {
		sign, whole = -1, uint64(-amount)
	}
	parts := make([]ledger.Amount, len(weights))
	rests := make([]uint64, len(weights))
	order := make([]int, len(weights))
	left := whole
	for i, w := range weights {
		high, low := bits.Mul64(whole, uint64(w))
		part, rest := bits.Div64(high, low, sum) // high < sum, for w <= sum and whole < 2^63
		parts[i], rests[i], order[i] = sign*ledger.Amount(part), rest, i
		left -= part
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rests[b], rests[a]) })
	for _, i := range order[:left] {
		parts[i] += sign
	}
	return parts, true
}

// charge adds the markup, rounded to the nearest nano-dollar of the whole, and divides the
// charge of the owner's own cost over the lines.
func (s *Statement) charge(markup int64) {
	slices.SortFunc(s.Lines, func(a, b Line) int { return cmp.Or(cmp.Compare(b.Cost, a.Cost), slices.Compare(a.Of, b.Of)) })
	s.Cost = s.Own.Cost + s.Shared
	s.Markup = part(s.Cost, markup)
	s.Charge = s.Cost + s.Markup
	weights := make([]ledger.Amount, len(s.Lines))
	for i, l := range s.Lines {
		weights[i] = max(l.Cost, 0)
	}
	parts, ok := Divide(part(s.Own.Cost, markup), weights)
	for i := range s.Lines {
		s.Lines[i].Charge = s.Lines[i].Cost
		if ok {
			s.Lines[i].Charge += parts[i]
		}
	}
}

// part is so many millionths of an amount, rounded half away from zero.
func part(a ledger.Amount, millionths int64) ledger.Amount {
	negative := (a < 0) != (millionths < 0)
	high, low := bits.Mul64(magnitude(int64(a)), magnitude(millionths))
	low, carry := bits.Add64(low, Million/2, 0)
	n, _ := bits.Div64(high+carry, low, Million)
	if negative {
		return -ledger.Amount(n)
	}
	return ledger.Amount(n)
}

func magnitude(v int64) uint64 {
	if v < 0 {
		return uint64(-v)
	}
	return uint64(v)
}
