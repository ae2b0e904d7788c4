package proxy

import (
	"strings"

	"purser/proxy/dialect"
)

// Allow is lists of patterns. A name is allowed when in each list one fits; an
// empty list allows all. A child key adds lists to its parent's, so that it never
// allows more.
type Allow [][]string

// Allows says whether the name is allowed.
func (a Allow) Allows(name string) bool {
	for _, list := range a {
		if len(list) > 0 && !fitsAny(list, name) {
			return false
		}
	}
	return true
}

func fitsAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if fits(p, name) {
			return true
		}
	}
	return false
}

// fits says whether a name is as the pattern has it, in which '*' stands for any
// characters. It takes time in proportion to the product of their lengths at most.
func fits(pattern, name string) bool {
	star, from := -1, 0 // the last '*', and where what it stands for ends
	p := 0
	for n := 0; n < len(name); {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, n
			p++
		case p < len(pattern) && pattern[p] == name[n]:
			p++
			n++
		case star >= 0:
			from++
			p, n = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// Uses are kinds of use of a key.
type Uses uint8

// The uses.
const (
	Inference  Uses = 1 << iota // calls of models, and what belongs to them
	Embeddings                  // calls of embeddings
	ListModels                  // lists of models
	MintKeys                    // child keys
	OwnUsage                    // what the key itself may do and spend
	TraceCache                  // how the caches come to answer what the key asks
)

var useNames = [...]string{"inference", "embeddings", "models:list", "children:mint", "usage:self", "cache:trace"}

// use is what kind of use a request of the endpoint is.
func (e *endpoint) use() Uses {
	switch {
	case e.models:
		return ListModels
	case e.own == ownChildren:
		return MintKeys
	case e.own == ownSelf:
		return OwnUsage
	case e.kind == dialect.Embeddings:
		return Embeddings
	}
	return Inference
}

// permit refuses what the key may not be used for, before anything is read of the
// request.
func (x *exchange) permit() *dialect.Error {
	use := x.endpoint.use()
	for i, name := range useNames {
		if use&x.key.Barred == 1<<i {
			return dialect.NewError(dialect.CodeScope, "", "this key has not the scope %s, which %s needs", name, x.endpoint.path)
		}
	}
	if !x.key.Endpoints.Allows(x.endpoint.path) {
		return dialect.NewError(dialect.CodeEndpointNotAllowed, "", "this key may not use %s", x.endpoint.path)
	}
	return nil
}

// permits says whether the key may use an upstream.
func (p *Principal) permits(u *Upstream) bool {
	return p.Providers.Allows(u.Provider) && p.Upstreams.Allows(u.Name)
}
