package proxy

import (
	"purser/ledger"
	"purser/proxy/dialect"
)

// route chooses the upstream: the first that serves the model in the client's own
// dialect, else the first that serves it in one that the call can be translated to.
func (x *exchange) route() *dialect.Error {
	c := &x.route_
	var pinned string
	if x.endpoint.kind == dialect.Lookup { // the route may lead elsewhere by now
		x.call.Model = x.kept
	} else if model, upstream, ok := x.rules.Route(x.call.Model); ok {
		x.call.Model, x.routed, pinned = model, true, upstream
	}
	home, e := x.home()
	if e != nil {
		return e
	}
	if pinned != "" {
		if home, e = x.pinned(pinned, home); e != nil {
			return e
		}
	}
	if !x.choose(home, x.native) && (home != nil || !x.choose(nil, x.foreign)) {
		return x.unserved(home)
	}
	if e := x.bringsKey(); e != nil {
		return e
	}
	x.rec.Upstream = c.up.Name
	x.rec.Dims.Values[ledger.DimModel] = x.call.Model
	x.rec.Dims.Values[ledger.DimProvider] = c.up.Provider
	x.levers = x.rules.Levers(x.rec.Model, &x.rec.Dims)
	return nil
}

// pinned is the one upstream that a route names, which may not be another than the
// call's home.
func (x *exchange) pinned(name string, home *Upstream) (*Upstream, *dialect.Error) {
	for _, u := range x.g.upstreams {
		if u.Name == name && (home == nil || home == u) {
			return u, nil
		}
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
// format it gives. home, if there is one, is the only one.
func (x *exchange) choose(home *Upstream, as func(*Upstream) (Wire, bool)) bool {
	for _, u := range x.g.upstreams {
		if home != nil && u != home || !x.key.permits(u) {
			continue
		}
		name, serves := u.serves(x.call.Model)
		if !serves {
			continue
		}
		if w, ok := as(u); ok {
			x.route_.up, x.route_.model, x.route_.sent, x.route_.wire = u, name, u.calls(name), w
			return true
		}
	}
	return false
}
