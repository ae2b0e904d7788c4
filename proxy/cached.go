package proxy

import (
	"encoding/binary"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/dialect"
)

// cached answers from the exact cache, from the semantic one, or from an identical
// request in flight; nil means the upstream must be asked. Cache trouble is a miss.
func (x *exchange) cached() *Answer {
	if x.hidesCache() {
		x.costInUsage = false
	}
	if !x.store || x.levers.Cache.Off || x.g.seams.Cache == nil {
		x.store = false
		return nil
	}
	if ok, _ := x.wire().Cacheable(x.asked()); !ok {
		x.store = false
		return nil
	}
	if !x.keyCall() {
		x.store = false
		return nil
	}
	x.rec.Cache = record.CacheMiss
	ask := x.cacheAsk()
	var at *Cached
	if !ask.Fresh {
		at, _ = x.g.seams.Cache.Get(x.cacheKey, ask)
	}
	if at != nil && !at.Stale {
		if a := x.replay(at, record.CacheServed); a != nil {
			return a
		}
	}
	if ask.Fresh || at != nil {
		ask.Wait = 0
	}
	ctx, stop := x.present()
	defer stop()
	if at == nil && !ask.Fresh {
		if a := x.semantic(ctx, ask); a != nil {
			return a
		}
	}
	flight, other, shared := x.g.seams.Cache.Join(ctx, x.cacheKey, ask)
	x.flight = flight
	switch {
	case shared:
		return x.replay(other, record.CacheShared)
	case other != nil:
		return x.replay(other, record.CacheServed)
	case flight == nil && at != nil:
		return x.replay(at, record.CacheStale) // another makes it anew
	case ctx.Err() != nil:
		return x.deny(x.whyNot())
	}
	x.caching.stale = at
	return nil
}

// staleAnswer is what there is for a request that would have made a stale answer anew
// and may not.
func (x *exchange) staleAnswer() *Answer {
	if x.caching.stale == nil {
		return nil
	}
	x.rec.Shape = record.Shape{} // of what is not sent
	return x.replay(x.caching.stale, record.CacheStale)
}

// keyCall makes the cache key: the tenant's scope, where the call would go, the
// cap it would have, and its canonical form.
func (x *exchange) keyCall() bool {
	b, err := x.canonical(x.scratch[:0], x.asked())
	x.scratch = b[:0]
	if err != nil {
		return false
	}
	x.cacheKey, x.caching.since = x.g.seams.Cache.Key(x.cacheScope(), b)
	x.rec.Fingerprint = binary.BigEndian.Uint64(x.cacheKey[len(x.cacheKey)-8:])
	return true
}

// canonical appends what an answer depends on in the request: the cap it would have,
// what compression may lose of it, and the call's canonical form.
func (x *exchange) canonical(dst []byte, c *dialect.Call) ([]byte, error) {
	return x.wire().AppendCanonical(x.appendLoss(binary.BigEndian.AppendUint64(dst, uint64(x.route_.cap))), c)
}

// cacheScope is whose the answer is, and where the call would go.
func (x *exchange) cacheScope() CacheScope {
	return CacheScope{Tenant: x.tenant(), Route: x.route_.up.Name, Model: x.route_.model, Endpoint: x.endpoint.scope()}
}

// tenant is who may see the answer, and what the provider keeps of it. It is
// structural: the organisation when the key is bound to one, else the key itself.
func (x *exchange) tenant() string {
	if org := x.key.Bound.Values[ledger.DimOrg]; org != "" {
		return "org:" + org
	}
	return "key:" + x.key.ID
}

// replay answers from c. The body is built for this request, because the edge
// may still be sending it when the entry goes.
func (x *exchange) replay(c *Cached, state record.CacheState) *Answer {
	if c.Stale {
		state = record.CacheStale
	}
	outcome, lever := record.CacheHit, record.LeverExactCache
	switch state {
	case record.CacheShared:
		outcome, lever = record.Coalesced, record.LeverCoalesce
	case record.CacheSemantic:
		lever = record.LeverSemantic
	}

	body, e := x.unveil(c.Body)
	if e != nil {
		return x.deny(e)
	}
	body = x.withCost(body)
	if x.call.Stream {
		call := x.asked()
		asked := call.IncludeUsage
		call.IncludeUsage = asked || x.costInUsage
		var err error
		body, err = x.wire().Replay(nil, body, call)
		call.IncludeUsage = asked // if this fails, the call goes upstream
		if err != nil {
			x.g.log.Warn("a cached answer could not be replayed", "request", x.rec.ID, "error", err)
			return nil
		}
	}
	h := []HeaderField{{"Content-Type", x.contentType()}}
	if x.translated() {
		h = x.translatedHeaders(nil)
	}
	x.rec.Outcome, x.rec.Cache, x.rec.Served = outcome, state, c.Model
	x.rec.Basis, x.rec.Status = record.NoCharge, 200
	x.rec.Savings = append(x.rec.Savings, record.Saving{Lever: lever, Amount: c.Cost})
	x.firstByte()
	x.keepOnce(200, h, body)
	a := &Answer{Status: 200, Body: body}
	a.Header = x.own(x.tellCache(h, c, state), a)
	if x.call.Stream && x.levers.Cache.Paced {
		x.pace(a, c)
	}
	return a
}

// keep readies a complete answer for the store and for whoever waits for it.
// raw is the JSON answer, or the whole stream as the upstream sent it; of a stream
// that was translated, what it amounts to is kept.
func (x *exchange) keep(raw []byte, r *dialect.Report) {
	if !x.store || !r.Complete() && x.endpoint.kind.Generates() || len(raw) > x.g.cfg.CacheEntry {
		return
	}
	var body []byte
	switch {
	case x.call.Stream && x.translated():
		body = x.withholdKey(x.streamed(r))
	case x.call.Stream:
		folded, err := x.wire().Fold(nil, raw)
		if err != nil {
			return
		}
		body = x.withholdKey(folded)
	default:
		body = append([]byte(nil), raw...)
	}
	x.fill = &Fill{
		Key: x.cacheKey, Answer: &Cached{Body: body, Model: r.Model, Usage: r.Usage, Cost: x.rec.Baseline},
		Since: x.caching.since, Asked: x.route_.model, TTL: x.levers.Cache.TTL, Stale: x.levers.Cache.Stale, Tags: x.cacheTags(),
	}
}

// land lets go of those who wait for this request's answer.
func (x *exchange) land() {
	for _, f := range [...]Flight{x.flight, x.alike} {
		if f != nil {
			f.Land(x.fill)
		}
	}
	x.flight, x.alike = nil, nil
}
