package replay

import (
	"slices"
	"strings"

	"purser/ledger"
	"purser/proxy/price"
)

// Prices finds what a model costs.
type Prices interface {
	FindIn(provider, region, model string, at ledger.Instant) (*price.Rate, bool)
}

// Run replays requests, which are in the order of their times, under a scenario. by are
// the dimensions of the report's groups.
func Run(requests []Request, s *Scenario, prices Prices, by []ledger.DimRef) *Report {
	w := world{
		s: s, prices: prices, by: by, out: &Report{Groups: map[string]*Pair{}},
		usage: map[uint64]price.Usage{}, cached: map[uint64]ledger.Instant{}, blocks: map[uint64]ledger.Instant{}, spent: map[account]ledger.Amount{},
	}
	w.learn(requests)
	for i := range requests {
		w.step(&requests[i])
	}
	return w.out
}

type world struct {
	s      *Scenario
	prices Prices
	by     []ledger.DimRef
	out    *Report

	means  map[string]*mean          // of calls, by model
	usage  map[uint64]price.Usage    // of calls, by identity
	cached map[uint64]ledger.Instant // entries of the cache, by identity: when they end
	blocks map[uint64]ledger.Instant // that providers remember: until when
	spent  map[account]ledger.Amount // of the scenario's budgets
	room   []account                 // scratch
}

type mean struct {
	n   int64
	sum price.Usage
}

type account struct {
	budget int
	split  ledger.Split
	start  ledger.Instant
}

// learn finds what calls of each model use.
func (w *world) learn(requests []Request) {
	w.means = map[string]*mean{}
	for i := range requests {
		q := &requests[i]
		if q.Outcome != Called {
			continue
		}
		m := w.means[model(q)]
		if m == nil {
			m = &mean{}
			w.means[model(q)] = m
		}
		m.n++
		for j, n := range q.Usage {
			m.sum[j] += n
		}
	}
}

func model(q *Request) string { return q.Dims.Values[ledger.DimModel] }

// step replays one request.
func (w *world) step(q *Request) {
	sums := w.pair(q)
	before := [...]*Sum{&w.out.Recorded, &sums.Recorded}
	for _, s := range before {
		w.count(s, q)
	}
	var after Sum
	w.play(&after, q)
	for _, s := range [...]*Sum{&w.out.Replayed, &sums.Replayed} {
		s.add(&after)
	}
}

// count adds what was recorded.
func (w *world) count(s *Sum, q *Request) {
	s.Requests++
	s.Cost += q.Cost
	switch q.Outcome {
	case Called:
		s.Calls++
		s.Input += q.Usage.TotalInput()
		s.Read += q.Usage[price.CacheRead]
	case Hit:
		s.Hits++
		s.save(ExactCache, q.Baseline-q.Cost)
	case Refused:
		s.Refused++
	default:
	}
	s.Baseline += max(q.Baseline, q.Cost)
}

// pair is the group of a request.
func (w *world) pair(q *Request) *Pair {
	if len(w.by) == 0 {
		return &Pair{} // of nobody's interest
	}
	values := make([]string, 0, len(w.by))
	for _, r := range w.by {
		values = append(values, q.Dims.Get(r))
	}
	key := strings.Join(values, "\t")
	g, ok := w.out.Groups[key]
	if !ok {
		if len(w.out.Groups) >= MaxGroups {
			key = "other"
		}
		if g = w.out.Groups[key]; g == nil {
			g = &Pair{}
			w.out.Groups[key] = g
		}
	}
	return g
}

func (s *Sum) add(o *Sum) {
	s.Requests += o.Requests
	s.Calls += o.Calls
	s.Hits += o.Hits
	s.Refused += o.Refused
	s.Cost += o.Cost
	s.Baseline += o.Baseline
	s.Denied += o.Denied
	s.Input += o.Input
	s.Read += o.Read
	s.Estimated += o.Estimated
	s.Unpriced += o.Unpriced
	for l, v := range o.Saved {
		s.save(l, v)
	}
}

// play is what the scenario makes of a request.
func (w *world) play(s *Sum, q *Request) {
	s.Requests = 1
	refused := q.Outcome == Refused && w.s.Budgets == nil
	if q.Outcome == Other || refused {
		if q.Cost > 0 && !w.admit(q, q.Cost, &price.Usage{}) { // it was charged what it held
			s.Refused, s.Denied = 1, q.Cost
			return
		}
		s.Cost, s.Baseline = q.Cost, max(q.Baseline, q.Cost)
		if refused {
			s.Refused = 1
		}
		return
	}
	u, known := w.usageOf(q)
	if !known {
		s.Estimated = 1
	}
	c := w.price(s, q, u)
	if w.hits(q) {
		s.Hits, s.Baseline = 1, c.baseline
		s.save(ExactCache, c.baseline)
		return
	}
	if cost := c.cost + q.Retries; !w.admit(q, cost, &c.usage) {
		s.Refused, s.Denied = 1, cost
		return
	}
	w.fill(q)
	s.Calls, s.Cost, s.Baseline = 1, c.cost+q.Retries, c.baseline+q.Retries
	s.Input, s.Read = c.usage.TotalInput(), c.usage[price.CacheRead]
	s.save(NativeCache, c.native)
	s.save(Compression, c.compressed)
	s.save(Routing, c.routed)
}

// usageOf is what the call of a request uses, or would have used.
func (w *world) usageOf(q *Request) (price.Usage, bool) {
	if q.Outcome == Called {
		if q.Identity != 0 {
			w.usage[q.Identity] = q.Usage
		}
		return q.Usage, true
	}
	if u, ok := w.usage[q.Identity]; ok && q.Identity != 0 {
		return u, false
	}
	var u price.Usage
	if m := w.means[model(q)]; m != nil {
		for i, n := range m.sum {
			u[i] = n / m.n
		}
	}
	return u, false
}

// hits says whether the cache answers.
func (w *world) hits(q *Request) bool {
	switch {
	case w.s.Cache == nil:
		return q.Outcome == Hit
	case w.s.Cache.Off || q.Identity == 0:
		return false
	}
	until, ok := w.cached[q.Identity]
	return ok && q.At < until
}

func (w *world) fill(q *Request) {
	if w.s.Cache != nil && !w.s.Cache.Off && q.Identity != 0 {
		w.cached[q.Identity] = q.At + ledger.Instant(w.s.Cache.TTL)
	}
}

// admit charges a call to the scenario's budgets, if each that refuses has room.
func (w *world) admit(q *Request, cost ledger.Amount, u *price.Usage) bool {
	w.room = w.room[:0]
	amounts := make([]ledger.Amount, 0, len(w.s.Budgets))
	for i := range w.s.Budgets {
		b := &w.s.Budgets[i]
		split, covers := b.Covers(&q.Dims)
		if !covers {
			continue
		}
		start, _ := b.Window.Bounds(q.At)
		a := account{i, split, start}
		amount := cost
		switch b.Unit {
		case ledger.Tokens:
			amount = ledger.Amount(u.TotalInput() + u.TotalOutput())
		case ledger.Requests:
			amount = 1
		default:
		}
		if !b.Soft && w.spent[a]+amount > b.Limit {
			return false
		}
		w.room, amounts = append(w.room, a), append(amounts, amount)
	}
	for i, a := range w.room {
		w.spent[a] += amounts[i]
	}
	return true
}

// costed is a call under the scenario, and what its levers save.
type costed struct {
	usage                      price.Usage
	cost, baseline             ledger.Amount
	native, compressed, routed ledger.Amount
}

// price computes a call as the scenario has it. Like the gateway's own records it takes
// the levers off one after the other, so that savings and cost add up to the baseline.
func (w *world) price(s *Sum, q *Request, u price.Usage) costed {
	was, ok := w.prices.FindIn(q.Dims.Values[ledger.DimProvider], q.Region, model(q), q.At)
	if !ok {
		s.Unpriced = 1
		return costed{usage: u, cost: q.Cost - q.Retries, baseline: max(q.Baseline, q.Cost) - q.Retries}
	}
	rate := was
	if to := w.route(q); to != nil {
		provider := to.Provider
		if provider == "" {
			provider = q.Dims.Values[ledger.DimProvider]
		}
		if r, ok := w.prices.FindIn(provider, q.Region, to.Model, q.At); ok {
			rate = r
		} else {
			s.Unpriced = 1
		}
	}
	cut := q.Cut
	if w.s.Kept > 0 && cut == 0 {
		cut = compress(&u, w.s.Kept)
	}
	w.remember(q, &u)
	c := costed{usage: u, cost: rate.Cost(&u, q.Tier)}
	for m := price.CacheRead; m <= price.CacheWriteOther; m++ {
		u[price.InputText] += u[m]
		u[m] = 0
	}
	uncached := rate.Cost(&u, q.Tier)
	u[price.InputText] += cut
	whole := rate.Cost(&u, q.Tier)
	c.baseline = was.Cost(&u, q.Tier) + q.Routed
	c.native, c.compressed, c.routed = uncached-c.cost, whole-uncached, c.baseline-whole
	return c
}

func (w *world) route(q *Request) *Rule {
	i := slices.IndexFunc(w.s.Routing, func(r Rule) bool { return r.takes(q) })
	if i < 0 {
		return nil
	}
	return &w.s.Routing[i]
}

// compress takes a part of the input away, of uncached tokens first, and says how many
// tokens that is.
func compress(u *price.Usage, kept float64) int64 {
	total := u.TotalInput()
	cut := total - int64(float64(total)*kept)
	left := cut
	for m := price.InputText; m <= price.CacheWriteOther && left > 0; m++ {
		n := min(u[m], left)
		u[m] -= n
		left -= n
	}
	return cut - left
}

// remember replays the provider's cache.
func (w *world) remember(q *Request, u *price.Usage) {
	p := w.s.Prompts
	if p == nil {
		return
	}
	if p.Off || len(q.Blocks) > 0 {
		for m := price.CacheRead; m <= price.CacheWriteOther; m++ {
			u[price.InputText] += u[m]
			u[m] = 0
		}
	}
	if p.Off {
		return
	}
	var read int64
	for _, b := range q.Blocks {
		if until, ok := w.blocks[b]; !ok || q.At >= until {
			break
		}
		read += BlockTokens
	}
	for _, b := range q.Blocks {
		w.blocks[b] = q.At + ledger.Instant(p.TTL)
	}
	read = min(read, u[price.InputText])
	u[price.InputText] -= read
	u[price.CacheRead] += read
}
