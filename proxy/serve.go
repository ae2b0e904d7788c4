package proxy

import "purser/proxy/dialect"

// Serve answers one request: this page is the whole path.
//
// The order has reasons. Redaction comes before everything that sees or keeps the
// text: the caches, the bound, the upstream. Policies and rate limits come before the caches, so
// that a key which may not ask is not answered by chance; the caches come before
// the money, because a hit costs nothing and is given even on an exhausted
// budget. Prompts are compressed, and marked for the provider's own cache, behind ours: a
// hit needs neither, and the keys of the caches must not depend on them. The route is
// chosen before the accounts are, since budgets may be by
// provider. A request with an Idempotency-Key claims it behind all that may forbid the
// request, and before the caches and the money: a replay costs nothing.
// Each attempt has a hold of its own: a call that timed out may have been billed. Where a route has another candidate, that is tried after one which may
// not have the call, or has failed: until the first byte went to the client.
func (g *Gateway) Serve(r *Request) *Answer {
	x := g.begin(r)
	defer x.leave()

	if a := x.builtin(); a != nil {
		return a
	}
	if a := x.signed(); a != nil {
		return a
	}
	if e := x.authenticate(); e != nil {
		return x.deny(e)
	}
	if x.endpoint.own != ownNothing {
		return x.ownKey()
	}
	if x.endpoint.models {
		return x.models()
	}
	if e := x.decode(); e != nil {
		return x.deny(e)
	}
	if e := x.attribute(); e != nil {
		return x.deny(e)
	}
	if e := x.route(); e != nil {
		return x.deny(e)
	}
	if e := x.ready(); e != nil {
		return x.deny(e)
	}
	if a := x.claimKey(); a != nil {
		return a
	}
	if a := x.cached(); a != nil {
		return a
	}
	x.recognise()
	for {
		if e := x.ready(); e != nil { // again for a candidate that follows another
			return x.deny(e)
		}
		if e := x.shape(); e != nil {
			return x.deny(e)
		}
		if e := x.admit(); e != nil {
			if x.next(e) {
				continue
			}
			if a := x.staleAnswer(); a != nil {
				return a
			}
			return x.deny(x.refusal(e))
		}
		a, wait := x.dispatch()
		if a != nil {
			return a
		}
		if e := x.pause(wait); e != nil {
			return x.deny(e)
		}
	}
}

// stages are those that depend on where the call goes: for each candidate of a route
// they begin with the body as the client has sent it.
func (x *exchange) stages() *dialect.Error {
	if e := x.redact(); e != nil {
		return e
	}
	if e := x.translate(); e != nil {
		return e
	}
	if e := x.terms(); e != nil {
		return e
	}
	if e := x.judge(); e != nil {
		return e
	}
	if e := x.loops(); e != nil {
		return e
	}
	return x.govern()
}
