package proxy

import (
	"cmp"
	"encoding/binary"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/dialect"
)

// cached answers from the exact cache, from the semantic one, or from an identical
// request in flight; nil means the upstream must be asked. Cache trouble is a miss.
func (x *exchange) cached() *Answer {
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
	if c, ok := x.g.seams.Cache.Get(x.cacheKey); ok {
		if a := x.replay(c, record.CacheHit, record.CacheServed, record.LeverExactCache); a != nil {
			return a
		}
	}
	ctx, stop := x.present()
	defer stop()
	x.flightKey = x.cacheKey
	if a := x.semantic(ctx); a != nil {
		return a
	}
	flight, shared := x.g.seams.Cache.Join(ctx, x.flightKey, x.g.cfg.CoalesceWait)
	x.flight = flight
	switch {
	case shared != nil:
		return x.replay(shared, record.Coalesced, record.CacheShared, record.LeverCoalesce)
	case ctx.Err() != nil:
		return x.deny(x.whyNot())
	}
	return nil
}

// keyCall makes the cache key: the tenant's scope, where the call would go, the
// cap it would have, and its canonical form.
func (x *exchange) keyCall() bool {
	b, err := x.canonical(x.scratch[:0], x.asked())
	x.scratch = b[:0]
	if err != nil {
		return false
	}
	x.cacheKey = x.g.seams.Cache.Key(x.cacheScope(), b)
	x.rec.Fingerprint = binary.BigEndian.Uint64(x.cacheKey[len(x.cacheKey)-8:])
	return true
}

// canonical appends what an answer depends on in the request: the cap it would have,
// and the call's canonical form.
func (x *exchange) canonical(dst []byte, c *dialect.Call) ([]byte, error) {
	return x.wire().AppendCanonical(binary.BigEndian.AppendUint64(dst, uint64(x.route_.cap)), c)
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
func (x *exchange) replay(c *Cached, outcome record.Outcome, state record.CacheState, lever record.Lever) *Answer {
	body, e := x.unveil(c.Body)
	if e != nil {
		return x.deny(e)
	}
	body, contentType := x.withCost(body), "application/json"
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
		contentType = cmp.Or(x.asked().StreamType, "text/event-stream")
	}
	x.rec.Outcome, x.rec.Cache, x.rec.Served = outcome, state, c.Model
	x.rec.Basis, x.rec.Status = record.NoCharge, 200
	x.rec.Savings = append(x.rec.Savings, record.Saving{Lever: lever, Amount: c.Cost})
	x.firstByte()
	a := &Answer{Status: 200, Body: body}
	a.Header = x.own([]HeaderField{{"Content-Type", contentType}, {headerCache, "hit"}}, a)
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
	x.fill = &Fill{Key: x.cacheKey, Answer: &Cached{Body: body, Model: r.Model, Usage: r.Usage, Cost: x.rec.Baseline}}
}

// land lets go of those who wait for this request's answer.
func (x *exchange) land() {
	if x.flight == nil {
		return
	}
	f := x.flight
	x.flight = nil
	if x.fill != nil {
		f.Land(x.fill.Answer)
		return
	}
	f.Land(nil)
}
