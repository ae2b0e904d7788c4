package waste

import (
	"fmt"
	"math/bits"

	"purser/ledger"
	"purser/proxy/gist"
	"purser/proxy/price"
)

// bytesPerToken makes an estimate of a beginning's tokens, as package promptcache does.
const bytesPerToken = 4

// sizeError is the part of a beginning's tokens, one in so many, that the estimate of them
// may be off by: with so little missing, all of it was read from the cache.
const sizeError = 6

// byParts takes off a call's usage what was of no use, one class after the other: each
// takes the difference that it makes to the price.
func (j *Judge) byParts(c *call) {
	cached, size, reread := j.beginning(c)
	if j.left <= 0 || !c.billed() {
		return
	}
	w := without{j: j, c: c, usage: c.r.Usage}
	w.cost = c.terms.Rate.Cost(&w.usage, c.terms.Tier)
	if w.whole = w.cost; w.whole <= 0 {
		return
	}
	if c.r.Delivered > 0 && c.r.Delivered < c.r.Made {
		lost := c.r.Made - c.r.Delivered
		w.lessOutput(lost)
		w.took(UnusedOutput, Part{Lever: Cancellation, Saving: true, Why: fmt.Sprintf("%d of %d bytes of the answer were not delivered", lost, c.r.Made)})
	}
	if cached > 0 {
		surcharge := ledger.Amount(0)
		if !reread {
			surcharge = w.writing(cached)
		}
		w.usage[price.InputText] -= cached
		w.usage[price.CacheRead] += cached
		w.took(UncachedContext, Part{Lever: PromptCache, Saving: true, Saves: -surcharge,
			Why: fmt.Sprintf("some %d tokens of instructions and tools were sent before, and billed as if they were not", size)})
	}
	j.oversized(&w)
	j.stronger(&w)
}

// without is a call's usage without what was of no use.
type without struct {
	j     *Judge
	c     *call
	usage price.Usage
	cost  ledger.Amount // by the catalogue
	whole ledger.Amount // the same, of all that was used
}

// took gives a class what the usage costs less than it did.
func (w *without) took(class Class, p Part) {
	w.now(class, w.c.terms.Rate.Cost(&w.usage, w.c.terms.Tier), p)
}

// now gives a class the difference to another price, in the measure of what was charged.
func (w *without) now(class Class, cost ledger.Amount, p Part) {
	less := w.cost - cost
	if w.cost = cost; w.whole != w.c.r.Cost {
		less = scaled(less, w.c.r.Cost, w.whole)
	}
	p.Saves += min(less, w.j.left)
	w.j.take(class, less, p)
}

// scaled is a times b over c, of amounts that are not negative.
func scaled(a, b, c ledger.Amount) ledger.Amount {
	if a <= 0 || b <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	if hi >= uint64(c) {
		return ledger.MaxAmount
	}
	q, _ := bits.Div64(hi, lo, uint64(c))
	return ledger.Amount(min(q, uint64(ledger.MaxAmount)))
}

// lessOutput takes the share of the output off that was not delivered.
func (w *without) lessOutput(lost int64) {
	for _, m := range [...]price.Meter{price.OutputText, price.OutputReasoning, price.AudioOut, price.ImageOut} {
		w.usage[m] -= int64(scaled(ledger.Amount(w.usage[m]), ledger.Amount(lost), ledger.Amount(w.c.r.Made)))
	}
}

// writing is what it costs more to have a provider keep so many tokens.
func (w *without) writing(tokens int64) ledger.Amount {
	if !w.c.terms.Rate.Prices(price.CacheWrite5m) {
		return 0
	}
	u := w.usage
	u[price.InputText] -= tokens
	u[price.CacheWrite5m] += tokens
	return max(0, w.c.terms.Rate.Cost(&u, w.c.terms.Tier)-w.cost)
}

// beginning says how many tokens of instructions and tools the provider could have read
// from its cache and billed as uncached input, of how many, and whether writing them is
// counted already.
func (j *Judge) beginning(c *call) (uncached, size int64, reread bool) {
	r := c.r
	if r.Prefix == 0 || r.Upstream == "" || !c.billed() {
		return 0, 0, false
	}
	size = gist.PrefixBytes(r.Prefix) / bytesPerToken
	if size = min(size, j.survey.leastOf(c)); size < max(c.terms.Shortest, 1) || !c.terms.Rate.Prices(price.CacheRead) {
		return 0, 0, false
	}
	k := uint64(newKey.number(r.Prefix).text(r.Upstream).number(uint64(c.model)))
	x, known := j.alive.get(k)
	warm := known && r.At >= x.ready && r.At <= x.last+j.opt.CacheLife
	u := &r.Usage
	billed := u[price.CacheRead]
	for m := price.CacheWrite5m; m <= price.CacheWriteOther; m++ {
		billed += u[m]
	}
	reread = warm && x.read
	if rest := size - billed; warm && rest > size/sizeError {
		uncached = min(rest, u[price.InputText])
	}
	first := r.At + ledger.Instant(r.FirstByte)
	if r.FirstByte == 0 {
		first = c.end()
	}
	if !warm && (!known || r.At >= x.ready) {
		x = kept{ready: first}
	}
	x.last = max(x.last, r.At)
	x.read = x.read || uncached > 0 || billed > 0
	j.alive.put(k, x)
	return uncached, size, reread
}

// leastOf is the shortest input with the beginning of a call: it is no longer than that.
func (s *Survey) leastOf(c *call) int64 {
	if n, ok := s.least[newKey.number(c.r.Prefix).number(uint64(c.model))]; ok {
		return n
	}
	return c.r.Usage.TotalInput()
}

// oversized takes the input that is far beyond the peers', where its answers are no better
// for it, or what compression takes out of the peers' prompts.
func (j *Judge) oversized(w *without) {
	p := j.survey.peers[w.c.peers]
	if w.c.peers == 0 || p == nil || p.n < j.opt.LeastPeers {
		return
	}
	o := &j.opt
	input, median := w.c.r.Usage.TotalInput(), p.median()
	far := median + quarters*bits.Len(uint(o.FarAbove-1))
	if bin(input) >= far {
		those, others := p.judged(far, bins), p.judged(0, median+quarters)
		_, best := those.interval(o.Z)
		if those.n >= o.LeastJudged && others.n >= o.LeastJudged && best <= others.mean()+o.Tolerance {
			excess := min(input-edge(median), w.usage[price.InputText])
			w.usage[price.InputText] -= excess
			w.took(OversizedContext, Part{Lever: Trimming, Saving: true,
				Why: fmt.Sprintf("%d input tokens, where peers send some %d; of such, at most %.3f succeed (%d known), of the others %.3f (%d)", input, edge(median), best, those.n, others.mean(), others.n)})
			return
		}
	}
	if w.c.r.Shape.Level != "" || p.compressed < o.LeastPeers || p.after >= p.before {
		return
	}
	worst, _ := p.shaped.interval(o.Z)
	if p.plain.n > 0 && (p.shaped.n < o.LeastJudged || worst < p.plain.mean()-o.Tolerance) {
		return // compressed answers may be worse
	}
	cut := int64(scaled(ledger.Amount(w.usage[price.InputText]), ledger.Amount(p.before-p.after), ledger.Amount(p.before)))
	w.usage[price.InputText] -= cut
	w.took(OversizedContext, Part{Lever: Compression, Saving: true,
		Why: fmt.Sprintf("compression leaves %d of %d tokens of its peers' prompts (%d of them)", p.after, p.before, p.compressed)})
}

// stronger takes what the cheapest model would not have cost that does the task as well.
func (j *Judge) stronger(w *without) {
	models := j.survey.tasks[w.c.task]
	own := models[w.c.model]
	if w.c.task == 0 || own == nil || own.worth.n < j.opt.LeastJudged {
		return
	}
	o := &j.opt
	cheapest := w.cost
	var instead *model
	bound := 0.0
	for k, m := range models {
		if k == w.c.model || m.worth.n < o.LeastJudged {
			continue
		}
		lower, _ := m.worth.interval(o.Z)
		if lower < own.worth.mean()-o.Tolerance {
			continue
		}
		cost := m.rate.Cost(&w.usage, m.tier)
		if cost < cheapest || cost == cheapest && instead != nil && m.rate.ID < instead.rate.ID {
			cheapest, instead, bound = cost, m, lower
		}
	}
	if instead == nil {
		return
	}
	w.now(StrongerModel, cheapest, Part{Lever: Routing, Saving: true,
		Why: fmt.Sprintf("%s does the task at least %.3f well (%d known), this model %.3f (%d); tolerance %.3f", instead.rate.Model, bound, instead.worth.n, own.worth.mean(), own.worth.n, o.Tolerance)})
}
