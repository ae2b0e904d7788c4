package proxy

import (
	"errors"
	"fmt"

	"purser/ledger"
	"purser/proxy/dialect"
	"purser/proxy/policy"
)

// Explain says what the policies make of a request that the holder of key would send
// now. It goes the way of a request up to where they are asked: nothing is held,
// counted, recorded or sent. An error is an answer that the request would have had
// before, or instead.
func (g *Gateway) Explain(r *Request, key *Principal) (policy.Answer, error) {
	x := g.begin(r)
	defer x.leave()
	if a := x.builtin(); a != nil {
		return policy.Answer{}, fmt.Errorf("the request does not reach the policies: it is answered with %d", a.Status)
	}
	if x.endpoint.models || x.endpoint.own != ownNothing {
		return policy.Answer{}, errors.New("policies are not asked about lists of models, nor about what is asked of a key itself")
	}
	x.key = key
	if e := x.permit(); e != nil {
		return policy.Answer{}, e
	}
	x.rec.Dims.Values[ledger.DimKey] = key.ID
	if e := x.fixRules(); e != nil {
		return policy.Answer{}, e
	}
	for _, stage := range [...]func() *dialect.Error{x.decode, x.attribute, x.route, x.translate, x.terms} {
		if e := stage(); e != nil {
			return policy.Answer{}, fmt.Errorf("the request does not reach the policies: %w", e)
		}
	}
	set := x.rules.Policies()
	in := &policy.Input{}
	if set.Len() > 0 {
		in = x.facts(set)
	}
	d, steps := set.Explain(in)
	a := policy.NewAnswer(in, &d)
	a.Steps = steps
	return a, nil
}
