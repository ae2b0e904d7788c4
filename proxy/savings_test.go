package proxy

import (
	"testing"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/price"

	"pgregory.net/rapid"
)

// TestSavingsAndCostAddUpToTheBaseline: whatever the usage and whichever levers had a
// part, the baseline is what the whole prompt, unmarked and uncompressed, would have
// cost at the model that the route stands in for.
func TestSavingsAndCostAddUpToTheBaseline(t *testing.T) {
	prices := price.Embedded()
	find := func(provider, model string) *price.Rate {
		r, ok := prices.FindIn(provider, "", model, 1_790_000_000*ledger.Second)
		if !ok {
			t.Fatalf("%s has no price", model)
		}
		return r
	}
	small, large := find("anthropic", "claude-haiku-4-5"), find("anthropic", "claude-opus-4-5")
	rapid.Check(t, func(t *rapid.T) {
		var u price.Usage
		for _, m := range [...]price.Meter{price.InputText, price.CacheRead, price.CacheWrite5m, price.CacheWrite1h, price.OutputText} {
			u[m] = rapid.Int64Range(0, 100_000).Draw(t, m.String())
		}
		x := &exchange{}
		cut := rapid.SampledFrom([]int64{0, 0, 1, 5000, -1}).Draw(t, "cut")
		x.rec.Shape.Before, x.rec.Shape.After = 10_000+cut, 10_000
		whole := u
		whole[price.InputText] += u[price.CacheRead] + u[price.CacheWrite5m] + u[price.CacheWrite1h]
		whole[price.InputText] = max(0, whole[price.InputText]+cut)
		whole[price.CacheRead], whole[price.CacheWrite5m], whole[price.CacheWrite1h] = 0, 0, 0
		want := small.Cost(&whole, price.Standard)
		if rapid.Bool().Draw(t, "routed") {
			x.route_.instead = large
			want = large.Cost(&whole, price.Standard)
		}
		b := bill{rate: small, tier: price.Standard, priced: small.Cost(&u, price.Standard)}
		x.rec.Cost = b.priced
		x.book(&b, u)
		x.sum()
		if x.rec.Baseline != want {
			t.Fatalf("the baseline is %d, want %d: cost %d, savings %+v", x.rec.Baseline, want, x.rec.Cost, x.rec.Savings)
		}
		for i, s := range x.rec.Savings {
			for _, other := range x.rec.Savings[:i] {
				if other.Lever == s.Lever {
					t.Fatalf("%v booked twice: %+v", s.Lever, x.rec.Savings)
				}
			}
		}
	})
}

// TestWritesThatNobodyReadsAreALoss: a lever that cost more than it saved says so.
func TestWritesThatNobodyReadsAreALoss(t *testing.T) {
	rate, ok := price.Embedded().FindIn("anthropic", "", "claude-haiku-4-5", 1_790_000_000*ledger.Second)
	if !ok {
		t.Fatal("no price")
	}
	u := price.Usage{price.InputText: 10, price.CacheWrite1h: 1000}
	x := &exchange{}
	b := bill{rate: rate, tier: price.Standard, priced: rate.Cost(&u, price.Standard)}
	x.rec.Cost = b.priced
	x.book(&b, u)
	if s := x.rec.Savings; len(s) != 1 || s[0].Lever != record.LeverNativeCache || s[0].Amount >= 0 {
		t.Errorf("savings %+v", s)
	}
}

// TestTheBaselineItselfSavesNothing: where the baseline's own model answers, in a region
// that costs more, routing has neither saved nor lost.
func TestTheBaselineItselfSavesNothing(t *testing.T) {
	prices := price.Embedded()
	find := func(model string) *price.Rate {
		r, ok := prices.FindIn("anthropic", "", model, 1_790_000_000*ledger.Second)
		if !ok {
			t.Fatalf("%s has no price", model)
		}
		return r
	}
	usual, regional := find("claude-haiku-4-5"), find("claude-opus-4-5")
	u := price.Usage{price.InputText: 1000, price.OutputText: 10}
	x := &exchange{}
	x.route_.rate, x.route_.instead = usual, usual
	b := bill{rate: regional, tier: price.Standard, priced: regional.Cost(&u, price.Standard)}
	x.rec.Cost = b.priced
	x.book(&b, u)
	if x.sum(); len(x.rec.Savings) != 0 || x.rec.Baseline != x.rec.Cost {
		t.Errorf("savings %+v, baseline %d of a cost of %d", x.rec.Savings, x.rec.Baseline, x.rec.Cost)
	}
}
