package economics

import (
	"cmp"
	"fmt"
	"math"
	"testing"

	"purser/ledger"

	"pgregory.net/rapid"
)

type entry struct {
	cell  int32
	cost  ledger.Amount
	gains []int32
}

// closed opens books, enters what it is given and closes them.
func closed(t interface{ Fatal(...any) }, gains []Gain, cells int, list []entry) []Sum {
	b := NewBooks(gains)
	for range cells {
		b.Cell()
	}
	for _, e := range list {
		if err := b.Request(e.cell, e.cost, true, e.gains); err != nil {
			t.Fatal(err)
		}
	}
	return b.Close(func(a, b int32) int { return cmp.Compare(a, b) })
}

func total(cells []Sum) (s Sum) {
	for i := range cells {
		s.Add(&cells[i])
	}
	return s
}

func anyGain(t *rapid.T) Gain {
	n := rapid.Int64Range(1, 1000)
	g := Gain{Evidence: Evidence{Outcomes: n.Draw(t, "outcomes")}}
	if rapid.Bool().Draw(t, "told") {
		g.Successes = rapid.Int64Range(0, g.Outcomes).Draw(t, "successes")
		g.Failures = g.Outcomes - g.Successes
	}
	if rapid.Bool().Draw(t, "judged") {
		g.Judged = g.Outcomes
		g.Quality = rapid.Int64Range(0, g.Judged*Whole).Draw(t, "quality")
	}
	if rapid.Bool().Draw(t, "valued") {
		g.Valued = g.Outcomes
		g.Value = ledger.Amount(rapid.Int64Range(-1_000_000_007, 1_000_000_000_007).Draw(t, "value"))
	}
	if rapid.Bool().Draw(t, "paid") {
		g.Paid, g.Revenue = true, ledger.Amount(rapid.Int64Range(-17, 99_999_999_999).Draw(t, "revenue"))
	}
	return g
}

func anyEntries(t *rapid.T, cells, gains int) []entry {
	list := make([]entry, rapid.IntRange(0, 30).Draw(t, "requests"))
	for i := range list {
		list[i] = entry{int32(rapid.IntRange(0, cells-1).Draw(t, "cell")), ledger.Amount(rapid.Int64Range(-3, 1000).Draw(t, "cost")), nil}
		for g := range gains {
			if rapid.IntRange(0, 3).Draw(t, "of") == 0 {
				list[i].gains = append(list[i].gains, int32(g))
			}
		}
	}
	return list
}

// TestEveryGroupingAddsUpToTheSameWhole: what is had for all requests in one cell is, to the
// part and the nano-dollar, what is had for them in many, and each gain counts once.
func TestEveryGroupingAddsUpToTheSameWhole(t *testing.T) {
	divided := 0
	rapid.Check(t, func(t *rapid.T) {
		gains := make([]Gain, rapid.IntRange(1, 6).Draw(t, "gains"))
		for i := range gains {
			gains[i] = anyGain(t)
		}
		cells := rapid.IntRange(1, 7).Draw(t, "cells")
		list := anyEntries(t, cells, len(gains))
		one := make([]entry, len(list))
		var want Sum
		joined := map[int32]bool{}
		for i, e := range list {
			one[i] = entry{0, e.cost, e.gains}
			for _, g := range e.gains {
				if !joined[g] {
					joined[g] = true
					o := gains[g]
					want.Had.Add(Evidence{Outcomes: o.Outcomes * Whole, Successes: o.Successes * Whole, Failures: o.Failures * Whole, Judged: o.Judged * Whole, Valued: o.Valued * Whole, Quality: o.Quality, Value: o.Value})
					want.Revenue += o.Revenue
				}
			}
		}
		many := closed(t, gains, cells, list)
		whole, parts := total(closed(t, gains, 1, one)), total(many)
		divided += int(parts.Shared)
		parts.Shared = 0
		if fmt.Sprint(whole) != fmt.Sprint(parts) {
			t.Fatalf("in one cell\n%+v, in %d\n%+v", whole, cells, parts)
		}
		if whole.Had != want.Had || whole.Revenue != want.Revenue {
			t.Fatalf("%+v, want %+v", whole, want)
		}
		for m := range whole.Of {
			for i := range many {
				if !many[i].Knows[m] && many[i].Of[m] != 0 {
					t.Fatalf("cell %d has a cost of what is not known: %+v", i, many[i])
				}
			}
		}
	})
	if divided == 0 {
		t.Error("nothing was divided: the test showed nothing")
	}
}

// TestPartsDoNotDependOnTheOrderOfRequests.
func TestPartsDoNotDependOnTheOrderOfRequests(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gains := []Gain{anyGain(t), anyGain(t)}
		list := anyEntries(t, 5, 2)
		shuffled := rapid.Permutation(list).Draw(t, "order")
		if a, b := closed(t, gains, 5, list), closed(t, gains, 5, shuffled); fmt.Sprint(a) != fmt.Sprint(b) {
			t.Fatalf("%+v\n%+v", a, b)
		}
	})
}

// TestWhatIsBeyondTheReachKeepsItsPart: who may see one of two cells sees its part of an
// outcome, and not all of it.
func TestWhatIsBeyondTheReachKeepsItsPart(t *testing.T) {
	gains := []Gain{{Evidence: Evidence{Outcomes: 1, Valued: 1, Value: 1000}}}
	cells := closed(t, gains, 1, []entry{{0, 25, []int32{0}}, {Beyond, 75, []int32{0}}})
	if c := cells[0]; c.Had.Value != 250 || c.Had.Outcomes != Whole/4 || c.Cost != 25 || c.Requests != 1 || c.Shared != Whole/4 {
		t.Errorf("%+v", c)
	}
}

// TestWhatCostNothingIsDividedByItsNumber, and what was paid back weighs nothing.
func TestWhatCostNothingIsDividedByItsNumber(t *testing.T) {
	gains := []Gain{{Evidence: Evidence{Outcomes: 1}}}
	free := closed(t, gains, 2, []entry{{0, 0, []int32{0}}, {0, 0, []int32{0}}, {0, 0, []int32{0}}, {1, 0, []int32{0}}})
	if free[0].Had.Outcomes != 750_000 || free[1].Had.Outcomes != 250_000 {
		t.Errorf("%+v", free)
	}
	back := closed(t, gains, 2, []entry{{0, -5, []int32{0}}, {1, 5, []int32{0}}})
	if back[0].Had.Outcomes != 0 || back[1].Had.Outcomes != Whole {
		t.Errorf("%+v", back)
	}
}

func dollars(v float64) ledger.Amount {
	return ledger.Amount(math.Round(v * float64(ledger.NanoPerUSD)))
}

// TestUnitsOfAWorkedExample: two runs, one of which failed, and a request of which nothing
// is known.
func TestUnitsOfAWorkedExample(t *testing.T) {
	gains := []Gain{
		{Evidence: Evidence{Outcomes: 1, Successes: 1, Judged: 1, Quality: 800_000, Valued: 1, Value: dollars(2)}},
		{Evidence: Evidence{Outcomes: 1, Failures: 1, Judged: 1, Quality: 0}},
		{Revenue: dollars(10), Paid: true},
	}
	s := closed(t, gains, 1, []entry{{0, dollars(0.5), []int32{0, 2}}, {0, dollars(0.5), []int32{0, 2}}, {0, dollars(3), []int32{1, 2}}, {0, dollars(4), nil}})[0]
	u := s.Unit()
	for name, c := range map[string]struct {
		got  *ledger.Amount
		want float64
	}{
		"per outcome": {u.PerOutcome, 2}, "loaded": {u.PerLoaded, 4}, "per success": {u.PerSuccess, 4}, "per quality": {u.PerQuality, 5},
		"price": {u.Price, 2}, "break-even price": {u.BreakEvenPrice, 1}, "value profit": {u.ValueProfit, 1}, "profit": {u.Profit, 6},
	} {
		if c.got == nil || *c.got != dollars(c.want) {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
	for name, c := range map[string]struct {
		got  *float64
		want float64
	}{
		"coverage": {u.Coverage[Counted], 0.5}, "of value": {u.Coverage[Valued], 0.125}, "of revenue": {u.Coverage[Paid], 0.5},
		"mean": {u.MeanWorth, 0.4}, "per dollar": {u.PerDollar, 2}, "value margin": {u.ValueMargin, 0.5}, "margin": {u.Margin, 0.6}, "volume": {u.BreakEvenOutcomes, 5},
	} {
		if c.got == nil || math.Abs(*c.got-c.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
}

// TestAMissingHalfIsNullAndNotZero.
func TestAMissingHalfIsNullAndNotZero(t *testing.T) {
	none := (&Sum{}).Unit()
	if none != (Unit{}) {
		t.Errorf("of nothing follows %+v", none)
	}
	cost := (&Sum{Requests: 1, Cost: 5}).Unit()
	if *cost.Coverage[Counted] != 0 || cost.PerOutcome != nil || cost.Margin != nil || cost.Profit != nil || cost.ValueMargin != nil || cost.PerSuccess != nil || cost.BreakEvenPrice != nil {
		t.Errorf("of cost alone follows %+v", cost)
	}
	failed := closed(t, []Gain{{Evidence: Evidence{Outcomes: 1, Failures: 1}}}, 1, []entry{{0, 5, []int32{0}}})[0].Unit()
	if *failed.PerOutcome != 5 || failed.PerSuccess != nil || failed.PerQuality != nil || failed.PerDollar != nil {
		t.Errorf("of a failure follows %+v", failed)
	}
	free := closed(t, []Gain{{Paid: true}}, 1, []entry{{0, 5, []int32{0}}})[0].Unit()
	if free.Margin != nil || *free.Profit != -5 || *free.Coverage[Paid] != 1 {
		t.Errorf("of a customer who pays nothing follows %+v", free)
	}
	worthless := closed(t, []Gain{{Evidence: Evidence{Outcomes: 1, Valued: 1}}}, 1, []entry{{0, 5, []int32{0}}})[0].Unit()
	if *worthless.PerDollar != 0 || worthless.ValueMargin != nil || *worthless.ValueProfit != -5 {
		t.Errorf("of a value of 0 follows %+v", worthless)
	}
}

// TestPaymentsAddUpOverTime, however it is cut.
func TestPaymentsAddUpOverTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := ledger.Instant(rapid.Int64Range(1, 1000).Draw(t, "from"))
		p := Payment{ID: "a", Customer: "c", From: from, To: from + ledger.Instant(rapid.Int64Range(1, 5000).Draw(t, "length")), Amount: ledger.Amount(rapid.Int64Range(-999_999_999_999, 999_999_999_999).Draw(t, "amount"))}
		r := NewRevenue([]Payment{p})
		var sum ledger.Amount
		for at := ledger.Instant(0); at < p.To; {
			next := at + ledger.Instant(rapid.Int64Range(1, 900).Draw(t, "step"))
			part, known := r.Between("c", at, next)
			if known != (at < p.To && next > p.From) || !known && part != 0 {
				t.Fatalf("[%d, %d) of %+v is known: %v, %d", at, next, p, known, part)
			}
			sum += part
			at = next
		}
		if sum != p.Amount {
			t.Fatalf("%d of %d", sum, p.Amount)
		}
	})
	if _, known := NewRevenue(nil).Between("c", 0, 9); known {
		t.Error("nothing is known of nobody")
	}
}

// TestPlansFollowTheTime: a customer who changes the plan has each in its time.
func TestPlansFollowTheTime(t *testing.T) {
	r := NewRevenue([]Payment{
		{ID: "1", Customer: "c", Plan: "free", Cohort: "2026-01", From: 10, To: 20},
		{ID: "2", Customer: "c", Plan: "pro", From: 20, To: 30}, {ID: "3", Customer: "c", From: 20, To: 30, Amount: 5},
	})
	for at, want := range map[ledger.Instant][2]string{9: {}, 10: {"free", "2026-01"}, 20: {"pro", ""}, 29: {"pro", ""}, 30: {}} {
		if plan, cohort := r.Plan("c", at); plan != want[0] || cohort != want[1] {
			t.Errorf("at %d: %q %q", at, plan, cohort)
		}
	}
}
