package proxy

import (
	"net/netip"

	"purser/proxy/dialect"
)

// ruledBy is the rule of a policy that refused a request.
type ruledBy struct {
	policy, rule string
}

// keyPolicy stands for what a virtual key itself forbids.
const keyPolicy = "key"

// keyRules are the parts of a key that forbid something, by the code that says so.
var keyRules = map[dialect.Code]string{
	dialect.CodeModelNotAllowed: "models", dialect.CodeEndpointNotAllowed: "endpoints", dialect.CodeProviderNotAllowed: "providers", dialect.CodeScope: "scopes",
}

// tellDenial tells of a request that a policy refuses: where a stage has set
// refusedBy, or the code is one that only a key's own rules give. Budgets are no
// policies: what they refuse is in the usage records. from is where the request came
// from: of a stream whose client has gone, the request cannot be read any more.
func (x *exchange) tellDenial(e *dialect.Error, from netip.Addr) {
	by := x.refusedBy
	if rule, ok := keyRules[e.Code]; ok && by.policy == "" {
		by = ruledBy{keyPolicy, rule}
	}
	if by.policy == "" || x.g.seams.Denials == nil {
		return
	}
	d := Denial{Policy: by.policy, Rule: by.rule, Code: string(e.Code), Address: from}
	if x.key != nil {
		d.Key = x.key.ID
	}
	x.g.seams.Denials.Denied(d)
}
