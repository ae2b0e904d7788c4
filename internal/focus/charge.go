package focus

import (
	"math/big"
	"time"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/price"
)

// Unallocated stands for an owner that nobody named.
const Unallocated = "unallocated"

// Key is what the charges that make up one row have in common.
type key struct {
	start     ledger.Instant // of the charge period
	kind      record.Kind
	late      bool // it corrects a month that was over when it was known
	meter     price.Meter
	dims      [ledger.NumDims]string
	free      string // tags, each name and value ended by a zero byte
	upstream  string
	served    string
	tier      string // as billed
	rate      string // RateID, "" for a charge without a unit price
	region    string
	publisher string
	from      int64    // tokens of input from which the prices hold
	list      int64    // pico-dollars for one unit
	agreed    [2]int64 // the same in a fraction of it, and that fraction
	basis     record.Basis
	request   string // id, of rows that are not added up
	note      string
}

// Charge is one row: what one meter came to in one period.
type Charge struct {
	key
	end      ledger.Instant
	quantity int64 // units of the meter; requests, of a meter that no provider counts
	billed   int64 // nano-dollars
	listed   int64 // nano-dollars, of charges without a unit price
	priced   int64 // the same by the contract
	requests int64 // that have their first row here
	hits     int64 // of those, answered without a call
	avoided  int64 // nano-dollars that levers saved, less what they cost
}

// Rates is who knows the prices that records were charged by: a [price.Catalogue].
type Rates interface {
	FindIn(provider, region, model string, at ledger.Instant) (*price.Rate, bool)
}

// pricedBy is the rate and the tier that make a record's amounts again. If there are none
// it is false, with the rate that stands in its place today, if there is one.
func pricedBy(rates Rates, r *record.Record) (*price.Rate, price.Tier, bool) {
	if r.RateID == "" || rates == nil {
		return nil, 0, false
	}
	_, region := ratePlace(r.RateID)
	rate, ok := rates.FindIn(r.Dims.Values[ledger.DimProvider], region, r.Dims.Values[ledger.DimModel], r.At)
	if !ok {
		return nil, 0, false
	}
	// A record has the tier as the provider called it; where it said nothing, the one
	// that was asked for counted.
	named, _ := price.ParseTier(r.Tier)
	for _, t := range [...]price.Tier{named, price.Standard, price.Flex, price.Priority, price.Batch} {
		if t != price.Auto && rate.ID == r.RateID && rate.Cost(&r.Usage, t) == r.Priced && rate.List().Cost(&r.Usage, t) == r.List {
			return rate, t, true
		}
	}
	return rate, price.Standard, false
}

// charges calls add with what a record comes to. First is for a request's first record.
func (m *Mapper) charges(r *record.Record, first bool, add func(key, Charge)) {
	base, ok := m.base(r)
	if !ok {
		return
	}
	saved := int64(0)
	for _, s := range r.Savings {
		saved += int64(s.Amount)
	}
	head := Charge{avoided: saved}
	if first && r.Kind == record.KindRequest {
		head.requests = 1
	}
	switch {
	case r.Kind != record.KindRequest:
		base.meter = noMeter
		head.billed, head.listed, head.priced = int64(r.Cost), int64(r.Cost), int64(r.Cost)
		add(base, head)
	case served(r):
		base.meter, head.quantity, head.hits = servedByCache, 1, head.requests
		add(base, head)
	case r.Cost == 0 && saved == 0 && r.Usage == (price.Usage{}):
		// It came to nothing: nothing was sent, or nothing was billed.
	default:
		m.metered(r, base, head, add)
	}
}

// served tells whether a request was answered without a call.
func served(r *record.Record) bool {
	return (r.Outcome == record.CacheHit || r.Outcome == record.Coalesced) && r.Cost == 0
}

// base is what all charges of a record have in common.
func (m *Mapper) base(r *record.Record) (key, bool) {
	id, ok := record.ParseID(r.ID)
	if !ok {
		return key{}, false
	}
	k := key{
		start: id.At() - id.At()%m.every, kind: r.Kind, dims: r.Dims.Values, upstream: r.Upstream, served: r.Served, tier: r.Tier, basis: r.Basis,
		late: r.Kind != record.KindRequest && r.At >= monthOf(id.At(), 1),
	}
	if k.dims[ledger.DimModel] == "" {
		k.dims[ledger.DimModel] = r.Model
	}
	if m.single {
		k.request = r.ID
	} else {
		k.dims[ledger.DimRun], k.dims[ledger.DimSession] = "", ""
	}
	if k.kind != record.KindRequest {
		k.note = r.Note
		k.request = r.Corrects
	}
	k.free = joined(r.Dims.Tags)
	return k, true
}

// metered makes one charge for each meter of a request.
func (m *Mapper) metered(r *record.Record, base key, head Charge, add func(key, Charge)) {
	rate, tier, ok := pricedBy(m.rates, r)
	input := r.Usage.TotalInput()
	used := usedOf(r, rate, tier)
	if len(used) == 0 {
		base.meter, head.quantity = unreported, 1
		head.billed, head.listed, head.priced = int64(r.Cost), int64(r.List), int64(r.Priced)
		add(base, head)
		return
	}
	if ok {
		base.rate, base.region, base.publisher, base.tier = rate.ID, rate.Region, rate.Provider, tier.String()
		for _, from := range rate.Thresholds(tier) {
			if from <= input {
				base.from = from
			}
		}
	}
	keys, weights, any := make([]key, len(used)), make([]*big.Int, len(used)), false
	for i, mt := range used {
		keys[i] = base
		keys[i].meter = mt
		weights[i] = big.NewInt(r.Usage[mt])
		if rate != nil {
			units, scale, _ := rate.Unit(mt, tier, input)
			keys[i].list, _, _ = rate.List().Unit(mt, tier, input)
			keys[i].agreed = [2]int64{units, scale}
			weights[i].Mul(weights[i], big.NewInt(units))
			ok = ok && writable(mt, keys[i].agreed, keys[i].list)
		}
		any = any || weights[i].Sign() > 0
	}
	if !any { // free by the catalogue, whoever charged for it: by what was counted
		for i, mt := range used {
			weights[i].SetInt64(r.Usage[mt])
		}
	}
	billed := split(int64(r.Cost), weights)
	listed, priced := billed, billed
	if !ok { // else unit prices say it
		listed, priced = split(int64(r.List), weights), split(int64(r.Priced), weights)
	}
	for i, mt := range used {
		c := Charge{quantity: r.Usage[mt], billed: billed[i], listed: listed[i], priced: priced[i]}
		if i == 0 {
			c.requests, c.avoided = head.requests, head.avoided
		}
		if !ok {
			keys[i].rate, keys[i].from, keys[i].list, keys[i].agreed = "", 0, 0, [2]int64{}
		}
		add(keys[i], c)
	}
}

// usedOf are the meters that a request used. That it was one is no meter of its own
// where that costs nothing.
func usedOf(r *record.Record, rate *price.Rate, tier price.Tier) (used []price.Meter) {
	for i, n := range r.Usage {
		mt := price.Meter(i)
		if n > 0 && (mt != price.Requests || len(used) == 0 || rate != nil && rate.Price(mt, tier, r.Usage.TotalInput()) > 0) {
			used = append(used, mt)
		}
	}
	return used
}

// writable tells whether prices have the decimals that columns have. Those of tokens
// always do.
func writable(m price.Meter, agreed [2]int64, list int64) bool {
	for _, p := range [...][2]int64{agreed, {list, 1}} {
		if d, ok := unitPrice(m, p).At(priceScale); !ok || d.Units.BitLen() > 120 {
			return false
		}
	}
	return true
}

// unitPrice is dollars for one PricingUnit.
func unitPrice(m price.Meter, p [2]int64) Decimal {
	atto := new(big.Int).Mul(big.NewInt(p[0]), big.NewInt(wholeScale/p[1]))
	return Decimal{atto.Mul(atto, big.NewInt(meterOf(m).block)), attoScale}
}

// wholeScale is what every scale of a contracted price divides.
const wholeScale = 1_000_000

// monthOf is when the month of an instant begins, UTC, or one that many months later.
func monthOf(at ledger.Instant, later int) ledger.Instant {
	t := time.Unix(0, int64(at)).UTC()
	return ledger.Instant(time.Date(t.Year(), t.Month()+time.Month(later), 1, 0, 0, 0, 0, time.UTC).UnixNano())
}
