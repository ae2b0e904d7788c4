package proxy

import (
	"cmp"

	"purser/ledger"
	"purser/proxy/dialect"
	"purser/proxy/route"
)

// route finds where the call may go: to the first upstream that serves the model in
// the client's own dialect, else to the first that serves it in one that the call can
// be translated to; of a route with candidates, to these in the order that suits the
// request.
func (x *exchange) route() *dialect.Error {
	var r *route.Route
	if x.endpoint.kind == dialect.Lookup { // the route may lead elsewhere by now
		x.call.Model = x.kept
	} else if r = x.rules.Route(x.call.Model); r != nil {
		x.routed = true
		x.rec.Route.Name, x.rec.Route.Strategy = r.Name(), aliasStrategy
	}
	home, e := x.home()
	if e != nil {
		return e
	}
	if r != nil && !r.Alias() {
		return x.order(r, home)
	}
	var only *Upstream
	if r != nil {
		to := &r.Candidates()[0]
		x.call.Model = to.Model
		if to.Upstream != "" {
			if only, e = x.pinned(to.Upstream, home); e != nil {
				return e
			}
		}
	}
	c, ok := x.find(x.call.Model, only, home)
	if !ok {
		return x.unserved(cmp.Or(home, only))
	}
	x.route_ = c
	if e := x.bringsKey(); e != nil {
		return e
	}
	x.goes()
	return nil
}

// aliasStrategy is what records call the strategy of a route without candidates.
const aliasStrategy = "alias"

// find is where a call of a model goes. only, if there is one, is the upstream that a
// route names; home keeps the answer that the call takes up, which no other has and
// no other dialect can name.
func (x *exchange) find(model string, only, home *Upstream) (c chosen, ok bool) {
	if c, ok = x.choose(model, cmp.Or(home, only), x.native); !ok && home == nil {
		c, ok = x.choose(model, only, x.foreign)
	}
	return c, ok
}

// goes notes where the call goes.
func (x *exchange) goes() {
	up := x.route_.up
	x.rec.Upstream = up.Name
	x.rec.Dims.Values[ledger.DimModel] = x.call.Model
	x.rec.Dims.Values[ledger.DimProvider] = up.Provider
	x.levers = x.rules.Levers(x.rec.Model, &x.rec.Dims)
}

// named is the upstream of a name, nil where there is none.
func (g *Gateway) named(name string) *Upstream {
	for _, u := range g.upstreams {
		if u.Name == name {
			return u
		}
	}
	return nil
}

// pinned is the one upstream that a route names, which may not be another than the
// call's home.
func (x *exchange) pinned(name string, home *Upstream) (*Upstream, *dialect.Error) {
	if u := x.g.named(name); u != nil && (home == nil || home == u) {
		return u, nil
	}
	return nil, dialect.NewError(dialect.CodeModelNotFound, "model", "the route %q goes to the upstream %s, which this node does not have, or which does not keep the answer that this request refers to", x.rec.Model, name)
}

// unserved says why no upstream takes the call. Lists of models have what can be
// talked to, so that a model of theirs may be none of this route's.
func (x *exchange) unserved(home *Upstream) *dialect.Error {
	for _, u := range x.g.upstreams {
		if _, serves := u.serves(x.call.Model); serves && (home == nil || u == home) && !x.key.permits(u) {
			return dialect.NewError(dialect.CodeProviderNotAllowed, "model", "this key may not use the provider or the upstream that serves the model %q", x.call.Model)
		}
	}
	if home != nil {
		return dialect.NewError(dialect.CodeModelNotFound, "model", "the upstream %s, which keeps the answer that this request refers to, does not serve the model %q: ask for one of its models, or send the conversation itself", home.Name, x.call.Model)
	}
	for _, u := range x.g.upstreams {
		if _, serves := u.serves(x.call.Model); serves && !u.native(x.endpoint.speaks) {
			return dialect.NewError(dialect.CodeModelNotFound, "model", "the upstream %s serves the model %q in another dialect, and calls of %s are not translated into it; ask for a model of this dialect's, or in the upstream's own", u.Name, x.call.Model, x.endpoint.path)
		}
	}
	return dialect.NewError(dialect.CodeModelNotFound, "model", "no upstream of this gateway serves the model %q; GET /v1/models lists what there is", x.call.Model)
}

// choose takes the first upstream that serves the model and that as accepts, in the
// format it gives. only, if there is one, is the one that may be taken.
func (x *exchange) choose(model string, only *Upstream, as func(*Upstream) (Wire, bool)) (chosen, bool) {
	for _, u := range x.g.upstreams {
		if only != nil && u != only || !x.key.permits(u) {
			continue
		}
		name, serves := u.serves(model)
		if !serves {
			continue
		}
		if w, ok := as(u); ok {
			return chosen{up: u, model: name, sent: u.calls(name), wire: w}, true
		}
	}
	return chosen{}, false
}
