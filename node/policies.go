package node

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"purser/api/admin"
	"purser/internal/directory"
	"purser/proxy"
	"purser/proxy/policy"
)

// ExplainPolicies implements admin.Policies.
func (c control) ExplainPolicies(ctx context.Context, q admin.PolicyQuestion) (policy.Answer, error) {
	if err := c.n.confirm(ctx); err != nil {
		return policy.Answer{}, ambiguous(err)
	}
	if q.Call != nil {
		return c.explainCall(q.Call)
	}
	rules, err := c.n.objects.Rules()
	if err != nil {
		return policy.Answer{}, admin.Undecided(err.Error())
	}
	if q.Facts.Time == "" {
		q.Facts.Time = time.Now().UTC().Format(time.RFC3339)
	}
	in, err := q.Facts.Input()
	if err != nil {
		return policy.Answer{}, admin.Invalid("facts: " + err.Error())
	}
	if err := rules.Complete(in.Dims); err != nil {
		return policy.Answer{}, admin.Invalid("facts: dims: " + err.Error())
	}
	d, steps := rules.Policies().Explain(in)
	a := policy.NewAnswer(in, &d)
	a.Steps = steps
	return a, nil
}

func (c control) explainCall(q *admin.PolicyCall) (policy.Answer, error) {
	r, key, err := c.rehearsed(q)
	if err != nil {
		return policy.Answer{}, err
	}
	a, err := c.n.gateway.Explain(r, key)
	if err != nil {
		return a, admin.Invalid("call: " + err.Error())
	}
	return a, nil
}

// ExplainRoute implements admin.Routing.
func (c control) ExplainRoute(ctx context.Context, q admin.PolicyCall) (proxy.RouteAnswer, error) {
	if err := c.n.confirm(ctx); err != nil {
		return proxy.RouteAnswer{}, ambiguous(err)
	}
	r, key, err := c.rehearsed(&q)
	if err != nil {
		return proxy.RouteAnswer{}, err
	}
	a, err := c.n.gateway.ExplainRoute(r, key)
	if err != nil {
		return a, admin.Invalid("call: " + err.Error())
	}
	return a, nil
}

// rehearsed is a request that is asked about, and whose it would be.
func (c control) rehearsed(q *admin.PolicyCall) (*proxy.Request, *proxy.Principal, error) {
	key, ok := c.n.fsm.Directory().Key(directory.KeyID(q.Key))
	if !ok {
		return nil, nil, admin.NotFound("no key " + q.Key)
	}
	r := &proxy.Request{Method: q.Method, Header: fields(q.Headers), Body: q.Body}
	if r.Method == "" {
		r.Method = "POST"
	}
	r.Path, r.Query, _ = strings.Cut(q.Path, "?")
	if q.Address != "" {
		a, err := netip.ParseAddr(q.Address)
		if err != nil {
			return nil, nil, admin.Invalid("call: address: " + err.Error())
		}
		r.Remote = netip.AddrPortFrom(a, 0)
	}
	return r, principalOf(key), nil
}

// fields are headers by their names.
type fields map[string]string

// Peek implements proxy.Headers.
func (f fields) Peek(name string) []byte {
	for n, v := range f {
		if strings.EqualFold(n, name) {
			return []byte(v)
		}
	}
	return nil
}

// Each implements proxy.Headers.
func (f fields) Each(do func(name, value []byte)) {
	for n, v := range f {
		do([]byte(n), []byte(v))
	}
}
