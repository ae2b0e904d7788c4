package proxy

import (
	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/dialect"
	"purser/proxy/price"
)

// settleReport ends the attempt's hold by what the provider said of it.
func (x *exchange) settleReport(r *dialect.Report) {
	x.rec.UpstreamID, x.rec.Served = r.ID, r.Model
	x.rec.Tier, x.tracing.course.Finish = r.ServiceTier, r.Finish
	x.remember(r)
	if r.State != dialect.UsageReported || x.endpoint.kind.Free() {
		switch {
		case r.State == dialect.UsageUnusable:
			x.g.log.Warn("upstream reported impossible usage; the hold is charged", "request", x.rec.ID, "upstream", x.route_.up.Name, "why", r.Why)
		case x.endpoint.kind.Generates():
			x.g.log.Warn("upstream reported no usage; the hold is charged", "request", x.rec.ID, "upstream", x.route_.up.Name)
		}
		x.settleHold(record.FullHold)
		return
	}
	b := x.bill(r)
	if b.basis == record.FullHold {
		x.g.log.Warn("upstream reported a cost that is no amount; the hold is charged", "request", x.rec.ID, "upstream", x.route_.up.Name)
		x.settleHold(record.FullHold)
		return
	}
	x.rec.Usage, x.rec.Basis, x.rec.RateID = r.Usage, b.basis, b.rate.ID
	x.rec.Cost, x.rec.Priced, x.rec.List = b.cost, b.priced, b.rate.List().Cost(&r.Usage, b.tier)
	x.book(&b, r.Usage)
	x.remembered(&r.Usage)
	x.sum() // the answer is kept with it
	x.endHold(Claim{USD: x.rec.Cost, Tokens: tokensOf(&r.Usage)})
}

// bill is what a call costs whose usage the provider reported.
type bill struct {
	rate   *price.Rate
	tier   price.Tier
	priced ledger.Amount // by the catalogue
	cost   ledger.Amount // what is charged
	basis  record.Basis  // FullHold where the provider's word counts and is no amount
}

// bill reads what a report comes to. It may be asked again of the same report.
func (x *exchange) bill(r *dialect.Report) (b bill) {
	if lifetime := x.call.CacheLifetime(); lifetime != price.CacheWriteOther {
		r.Usage[lifetime] += r.Usage[price.CacheWriteOther]
		r.Usage[price.CacheWriteOther] = 0
	}
	b.tier = billedTier(x.route_.tier, r.ServiceTier)
	b.rate = x.billedRate(r, b.tier)
	b.priced = b.rate.Cost(&r.Usage, b.tier)
	b.cost, b.basis = b.priced, record.Reported
	switch {
	case x.route_.up.Costs != ByProvider:
	case r.CostState == dialect.CostUnusable:
		b.basis = record.FullHold
	case r.CostState == dialect.CostReported:
		b.cost, b.basis = r.Cost, record.ReportedCost
	}
	return b
}

// billedRate is the rate of the region that the provider says it served the call
// in, or the dearest that may apply when it says nothing.
func (x *exchange) billedRate(r *dialect.Report, tier price.Tier) *price.Rate {
	c := &x.route_
	if len(x.call.Regions) == 0 {
		return c.rate
	}
	if r.Region != "" {
		if rate, ok := x.g.prices.FindIn(c.up.Provider, r.Region, c.model, x.rec.At); ok {
			return rate
		}
	}
	rate := c.rate
	for _, other := range c.regional {
		if other.Cost(&r.Usage, tier) > rate.Cost(&r.Usage, tier) {
			rate = other
		}
	}
	return rate
}

// billedTier is the tier the provider says it served, or the one asked for when
// it says nothing. A choice left open, or a name not known, is costed as the
// dearest tier the model lists: never less than what may be billed.
func billedTier(asked price.Tier, served string) price.Tier {
	if served == "" {
		return asked
	}
	t, ok := price.ParseTier(served)
	if !ok {
		return price.Auto
	}
	return t
}

func tokensOf(u *price.Usage) ledger.Amount {
	return ledger.Amount(u.TotalInput() + u.TotalOutput())
}

// settleHold charges the whole hold: what the call cost is not known.
func (x *exchange) settleHold(basis record.Basis) {
	if x.endpoint.kind.Free() {
		x.release()
		return
	}
	x.rec.Usage, x.rec.Basis = price.Usage{}, basis
	x.rec.Cost = x.attempt.claim.USD
	x.rec.List, x.rec.Priced = x.rec.Cost, x.rec.Cost
	x.endHold(x.attempt.claim)
}

func (x *exchange) endHold(actual Claim) {
	h := x.attempt.hold
	x.attempt.hold, x.once.ran = nil, true
	x.rec.Hold, x.rec.Bound = x.attempt.claim.USD, x.attempt.bound
	x.rec.Overrun = max(0, x.rec.Cost-x.rec.Hold)
	x.rec.Attempt = x.attempt.n
	x.rec.Charges = h.Settle(actual, x.rec.Charges)
	x.endCall()
	if !covers(0, x.attempt.claim, actual) && !x.partly() {
		x.overran(actual)
	}
}

// overran teaches later calls of the model that this upstream bills beyond bounds.
func (x *exchange) overran(actual Claim) {
	now, raised := x.g.margins.overran(x.marginKey(), x.attempt.margin, x.attempt.claim, actual)
	if raised {
		x.g.log.Error("the upstream billed more than a call's caps allow; calls of this model hold more from now on, or are refused",
			"request", x.rec.ID, "upstream", x.route_.up.Name, "rate", x.route_.rate.ID, "held_nanousd", int64(x.attempt.claim.USD),
			"cost_nanousd", int64(actual.USD), "times", 1<<now, "refused", now > maxMargin)
	}
}

// release ends the attempt's hold at no cost.
func (x *exchange) release() {
	h := x.attempt.hold
	x.attempt.hold = nil
	x.rec.Basis, x.rec.Cost, x.rec.List, x.rec.Priced, x.rec.Hold = record.NoCharge, 0, 0, 0, 0
	h.Release()
	x.endCall()
}
