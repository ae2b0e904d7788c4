package proxy

import (
	"cmp"

	"purser/proxy/dialect"
	"purser/proxy/price"
)

// terms fixes what the call may cost where it goes.
func (x *exchange) terms() *dialect.Error {
	if x.endpoint.kind.Free() {
		return nil
	}
	if e := x.rate(); e != nil {
		return e
	}
	if e := x.limit(); e != nil {
		return e
	}
	x.route_.sliced = x.slices()
	return nil
}

// rate finds what the call is charged by.
func (x *exchange) rate() *dialect.Error {
	c := &x.route_
	rate, ok := x.price()
	if !ok {
		return dialect.NewError(dialect.CodeUnpriced, "model", "there is no price for %q at %s, so its cost cannot be capped; the operator can add one, or a ceiling price, to the price overrides", c.model, c.up.Provider)
	}
	tier, ok := price.ParseTier(x.call.ServiceTier)
	if !ok {
		return dialect.NewError(dialect.CodeInvalidValue, "service_tier", "the service tier %q is not known, so its cost cannot be capped", x.call.ServiceTier)
	}
	if tier == price.Priority && !rate.Lists(tier) {
		return dialect.NewError(dialect.CodeUnpriced, "service_tier", "there is no price for %q at the service tier %q, so its cost cannot be capped; the operator can add one to the price overrides", c.model, x.call.ServiceTier)
	}
	for _, t := range x.call.Paid {
		if !rate.Prices(t.Meter) {
			return dialect.NewError(dialect.CodeUnpriced, t.Param, "there is no price for calls of %s with %q, so their cost cannot be capped; the operator can add one to the price overrides", t.Meter, c.model)
		}
	}
	c.rate, c.tier = rate, tier
	x.rec.RateID = rate.ID
	return nil
}

// limit fixes the caps of the call, and which of them have to be written into it.
func (x *exchange) limit() *dialect.Error {
	c, rate := &x.route_, x.route_.rate
	if len(x.call.Paid) > 0 && !x.call.NoCalls {
		c.calls = cmp.Or(x.call.MaxCalls, x.g.cfg.DefaultCalls)
		if c.calls == 0 {
			return dialect.NewError(dialect.CodeUnbounded, "max_tool_calls", "how often the provider may run %s is not limited, so the cost cannot be capped: set 'max_tool_calls'", x.call.Paid[0].Param)
		}
	}
	switch {
	case !x.endpoint.kind.Generates() || x.call.NoOutput:
		return nil
	case x.endpoint.kind == dialect.Compact: // takes no cap
		if c.cap = x.largestOutput(); c.cap == 0 {
			return dialect.NewError(dialect.CodeUnbounded, "model", "the largest output of %q is not known, so the cost of compacting with it cannot be capped", c.model)
		}
		return nil
	}
	c.cap, c.write = x.call.MaxOutput, false
	if c.cap == 0 {
		c.cap, c.write = cmp.Or(x.call.UsualOutput, x.g.cfg.DefaultOutput), true
	}
	for _, most := range [...]int64{rate.MaxOutput, x.judged.cap} {
		if most > 0 && c.cap > most {
			c.cap, c.write = most, true
		}
	}
	return nil
}

// price finds the rate of the chosen model, or those of the regions where the
// provider may process the call.
func (x *exchange) price() (*price.Rate, bool) {
	c := &x.route_
	c.regional = nil
	if len(x.call.Regions) == 0 {
		return x.g.prices.FindIn(c.up.Provider, c.up.Region, c.model, x.rec.At)
	}
	rate, ok := x.g.prices.FindIn(c.up.Provider, cmp.Or(x.call.Regions[0], c.up.Region), c.model, x.rec.At)
	for _, region := range x.call.Regions[1:] {
		if r, found := x.g.prices.FindIn(c.up.Provider, cmp.Or(region, c.up.Region), c.model, x.rec.At); found && r != rate {
			c.regional = append(c.regional, r)
		}
	}
	return rate, ok
}
