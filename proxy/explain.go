package proxy

import (
	"errors"
	"fmt"

	"purser/internal/record"
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
	if err := x.rehearse(key); err != nil {
		return policy.Answer{}, err
	}
	for _, stage := range [...]func() *dialect.Error{x.translate, x.terms} {
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

// rehearse takes a request that the holder of key would send up to where it is known
// where it goes. Nothing is held, counted or sent.
func (x *exchange) rehearse(key *Principal) error {
	if a := x.builtin(); a != nil {
		return fmt.Errorf("the request does not reach the policies: it is answered with %d", a.Status)
	}
	if x.endpoint.models || x.endpoint.own != ownNothing {
		return errors.New("policies are not asked about lists of models, nor about what is asked of a key itself")
	}
	x.key = key
	if e := x.permit(); e != nil {
		return e
	}
	x.rec.Dims.Values[ledger.DimKey] = key.ID
	if e := x.fixRules(); e != nil {
		return e
	}
	for _, stage := range [...]func() *dialect.Error{x.decode, x.attribute, x.route} {
		if e := stage(); e != nil {
			return fmt.Errorf("the request does not reach the policies: %w", e)
		}
	}
	return nil
}

// RouteAnswer is where a request would go, and why.
type RouteAnswer struct {
	Route    string       `json:"route"`    // "" where it asks for a model
	Strategy string       `json:"strategy"` // "alias" of a route without candidates, "" of no route
	Reason   string       `json:"reason"`
	Order    []RoutePlace `json:"order"` // as they are tried
	Out      []RoutePlace `json:"out"`   // what may not or cannot serve it
}

// RoutePlace is one candidate.
type RoutePlace struct {
	Model    string `json:"model"`              // as the route has it
	Upstream string `json:"upstream,omitempty"` // where it goes, or as the route has it
	Provider string `json:"provider,omitempty"`
	Score    int64  `json:"score"` // millionths, of the strategy's own scale
	Why      string `json:"why"`
	Denied   string `json:"denied,omitempty"` // why it would be passed over all the same
}

// ExplainRoute says where a request goes that the holder of key would send now: the
// order of a route's candidates, and what policies make of each. Chance draws anew for
// each question. Redactions and the limits of budgets are not asked; nothing is held,
// recorded or sent.
func (g *Gateway) ExplainRoute(r *Request, key *Principal) (a RouteAnswer, err error) {
	x := g.begin(r)
	defer x.leave()
	err = x.rehearse(key)
	a = RouteAnswer{Route: x.rec.Route.Name, Strategy: x.rec.Route.Strategy, Reason: x.rec.Route.Reason, Order: []RoutePlace{}, Out: []RoutePlace{}}
	if err != nil && len(x.rec.Route.Considered) == 0 {
		return a, err
	}
	if err == nil && x.routing.route == nil {
		x.routing.to = append(x.routing.to, candidate{x.route_, x.call.Model})
		x.rec.Route.Considered = []record.Considered{{Model: x.call.Model, Why: "it is all there is"}}
	}
	for i, c := range x.rec.Route.Considered {
		p := RoutePlace{Model: c.Model, Upstream: c.Upstream, Score: c.Score, Why: c.Why}
		if i >= len(x.routing.to) {
			a.Out = append(a.Out, p)
			continue
		}
		up := x.routing.to[i].up
		p.Upstream, p.Provider = up.Name, up.Provider
		p.Denied = x.forbids(i)
		a.Order = append(a.Order, p)
	}
	return a, nil
}

// forbids says what a candidate's stages make of the call, up to the policies.
func (x *exchange) forbids(i int) string {
	x.routing.at = i
	if x.endpoint.kind == dialect.Lookup {
		return ""
	}
	for _, stage := range [...]func() *dialect.Error{x.again, x.translate, x.terms} {
		if e := stage(); e != nil {
			return e.Message
		}
	}
	set := x.rules.Policies()
	if set.Len() == 0 {
		return ""
	}
	if d := set.Decide(x.facts(set)); d.Denied != nil {
		return "by the rule " + d.Denied.Rule + " of the policy " + d.Denied.Policy
	}
	return ""
}
