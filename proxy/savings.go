package proxy

import (
	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/price"
)

// cacheMeters are the input that a provider charges otherwise because it remembers
// prompts, or is to remember this one.
var cacheMeters = [...]price.Meter{
	price.CacheRead, price.CacheWrite5m, price.CacheWrite30m, price.CacheWrite1h, price.CacheWrite12h, price.CacheWriteOther,
}

// book notes what each lever saved on a call of known usage. The levers are taken off
// one after the other, from the last that had a part in the call to the first, and
// each step's difference is that lever's: so they add up to what the call would have
// cost without any, and no cent is counted twice.
func (x *exchange) book(b *bill, u price.Usage) {
	read, input, last := u[price.CacheRead], u.TotalInput(), b.priced
	step := func(l record.Lever, without ledger.Amount) {
		if saved := without - last; saved != 0 {
			x.rec.Savings = append(x.rec.Savings, record.Saving{Lever: l, Amount: saved})
		}
		last = without
	}
	for _, m := range cacheMeters {
		u[price.InputText] += u[m]
		u[m] = 0
	}
	without := b.rate.Cost(&u, b.tier)
	x.bookNative(read, input, without-last)
	last = without
	if cut := x.rec.Shape.Before - x.rec.Shape.After; cut != 0 {
		u[price.InputText] = max(0, u[price.InputText]+cut)
		step(record.LeverCompression, b.rate.Cost(&u, b.tier))
	}
	if instead := x.route_.instead; instead != nil && instead != x.route_.rate { // the baseline itself is routed nowhere else, in whichever region
		step(record.LeverRouting, instead.Cost(&u, b.tier))
	}
}

// sum fixes what the request would have cost without levers.
func (x *exchange) sum() {
	x.rec.Baseline = x.rec.Cost
	for _, s := range x.rec.Savings {
		x.rec.Baseline += s.Amount
	}
}
