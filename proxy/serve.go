package proxy

// Serve answers one request: this page is the whole path.
//
// The order has reasons. Redaction comes before everything that sees or keeps the
// text: the caches, the bound, the upstream. Policies and rate limits come before the caches, so
// that a key which may not ask is not answered by chance; the caches come before
// the money, because a hit costs nothing and is given even on an exhausted
// budget. The route is chosen before the accounts are, since budgets may be by
// provider. Each attempt has a hold of its own: a call that timed out may have
// been billed.
func (g *Gateway) Serve(r *Request) *Answer {
	x := g.begin(r)
	defer x.leave()

	if a := x.builtin(); a != nil {
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
	if e := x.redact(); e != nil {
		return x.deny(e)
	}
	if e := x.translate(); e != nil {
		return x.deny(e)
	}
	if e := x.terms(); e != nil {
		return x.deny(e)
	}
	if e := x.judge(); e != nil {
		return x.deny(e)
	}
	if e := x.loops(); e != nil {
		return x.deny(e)
	}
	if e := x.govern(); e != nil {
		return x.deny(e)
	}
	if a := x.cached(); a != nil {
		return a
	}
	for {
		if e := x.admit(); e != nil {
			if a := x.staleAnswer(); a != nil {
				return a
			}
			return x.deny(e)
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
