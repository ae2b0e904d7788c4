package proxy

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"purser/internal/record"
	"purser/proxy/bound"
	"purser/proxy/dialect"
	"purser/proxy/policy"
)

// Headers of answers that policies have a part in. Rules are named
// "<policy>/<rule>".
const (
	headerPolicy        = headerPrefix + "policy"         // the rule that denied the request
	headerPolicyWarning = headerPrefix + "policy-warning" // those that warn, with their messages
	headerPolicyRewrote = headerPrefix + "policy-rewrote" // what parameters were lowered to
)

// judged is what the policies said.
type judged struct {
	in      policy.Input
	bounded bool          // a rule went by what the call can cost
	cap     int64         // output tokens of each answer that a rewrite allows; 0: no matter how many
	headers []HeaderField // of the answer
}

// judge asks the policies, when everything that they can ask is known and nothing was
// held, looked up in a cache or sent.
func (x *exchange) judge() *dialect.Error {
	set := x.rules.Policies()
	if set.Len() == 0 {
		return nil
	}
	in := x.facts(set)
	d := set.Decide(in)
	for i := range d.Rulings {
		x.rec.Rulings = append(x.rec.Rulings, d.Rulings[i].Ruling)
	}
	if d.Denied != nil {
		return x.forbidden(d.Denied)
	}
	x.warn(d.Rulings)
	return x.lower(in.Params, d.Params)
}

// facts are what is known of the request.
func (x *exchange) facts(set *policy.Set) *policy.Input {
	c := &x.route_
	x.judged.in = x.unrouted(x.asked(), c.cap)
	in := &x.judged.in
	in.Provider, in.Upstream, in.RouteModel, in.SentModel, in.Regions = c.up.Provider, c.up.Name, c.model, c.sent, x.regions()
	in.Bounds = (*bounds)(x)
	if set.ReadsSampling() {
		in.Params.Temperature, in.Params.TopP = readSampling(x.endpoint.speaks, x.veil.body)
	}
	return in
}

// unrouted are the facts but for those of where the call goes.
func (x *exchange) unrouted(asked *dialect.Call, limit int64) policy.Input {
	return policy.Input{
		Endpoint: x.endpoint.path, Dialect: x.endpoint.speaks.String(), Stream: asked.Stream, Model: x.rec.Model,
		At: x.rec.At, Address: x.g.clientAddress(x.req),
		Params:   policy.Params{MaxOutput: limit, N: max(asked.N, 1), Temperature: policy.Unset, TopP: policy.Unset},
		Uncapped: x.endpoint.kind == dialect.Compact,
		Tools:    asked.Tools, Messages: asked.Messages, Images: len(asked.Images), Files: asked.Files,
		InputBytes: int64(max(len(x.req.Body), len(x.given))), ServiceTier: asked.ServiceTier,
		KeyID: x.key.ID, KeyName: x.key.Name, Dims: &x.rec.Dims,
	}
}

// regions are where the provider may process the call; "" is one that is not known.
func (x *exchange) regions() []string {
	list := make([]string, 0, 2)
	for _, r := range x.call.Regions {
		list = append(list, cmp.Or(r, x.route_.up.Region))
	}
	if len(list) == 0 {
		list = append(list, x.route_.up.Region)
	}
	return list
}

// bounds bound the call for policies, as admit does for its hold, but for the
// provider's own count: nothing is sent before the policies have spoken.
type bounds exchange

// Steps implements policy.Bounder.
func (*bounds) Steps() int { return len(boundSteps) }

// Bound implements policy.Bounder.
func (b *bounds) Bound(step int, p policy.Params) (policy.Bound, bool) {
	x := (*exchange)(b)
	x.judged.bounded = true
	if x.endpoint.kind.Free() {
		return policy.Bound{}, true
	}
	if x.attempt.margin = x.g.margins.of(x.marginKey()); x.attempt.margin > maxMargin {
		return policy.Bound{}, false
	}
	in, ok := bound.Input(&x.call, x.boundModel(), boundSteps[step])
	if !ok {
		return policy.Bound{}, false
	}
	limit, n := x.route_.cap, x.call.N
	x.route_.cap, x.call.N = p.MaxOutput, min(n, p.N)
	claim := x.claimOf(in.Tokens, x.wholeOutput())
	x.route_.cap, x.call.N = limit, n
	return policy.Bound{Input: in.Tokens, Cost: claim.USD}, true
}

// forbidden is the answer to a request that a policy denies.
func (x *exchange) forbidden(r *policy.Ruling) *dialect.Error {
	x.judged.headers = append(x.judged.headers, HeaderField{headerPolicy, r.Policy + "/" + r.Rule})
	x.refusedBy = ruledBy{r.Policy, r.Rule}
	text := "the policy " + r.Policy + " denies this request by its rule " + r.Rule
	if r.Effect == record.PolicyUndecided {
		text = "the rule " + r.Rule + " of the policy " + r.Policy + " cannot be decided for this request, which is therefore denied"
	}
	if r.Message != "" {
		text += ": " + r.Message
	}
	if x.client == dialect.Opencode {
		text = statuses.ReplaceAllString(text, "#")
	}
	return dialect.NewError(dialect.CodePolicy, "", "%s", text)
}

// statuses are what opencode takes for the status of a passing failure, wherever it
// stands in the text of an answer.
var statuses = regexp.MustCompile(`[0-9]{3,}`)

// warn tells the caller of the rules that warn.
func (x *exchange) warn(rulings []policy.Ruling) {
	var list []string
	for i := range rulings {
		r := &rulings[i]
		if r.Shadow || r.Effect != record.PolicyWarned {
			continue
		}
		name := r.Policy + "/" + r.Rule
		if r.Message != "" {
			name += ": " + r.Message
		}
		list = append(list, name)
	}
	if len(list) > 0 {
		x.judged.headers = append(x.judged.headers, HeaderField{headerPolicyWarning, places(list)})
	}
}

// lower carries out what rewrites have lowered: the cap where every cap is fixed, the
// rest in the client's body, which is read again, so that what is held, sought in the
// cache and sent is the call as lowered.
func (x *exchange) lower(was, p policy.Params) *dialect.Error {
	if p == was {
		return nil
	}
	x.judged.headers = append(x.judged.headers, HeaderField{headerPolicyRewrote, strings.Join(p.Differences(was), ", ")})
	if p.MaxOutput < was.MaxOutput {
		x.judged.cap = p.MaxOutput
	}
	if p.MaxOutput = was.MaxOutput; p != was {
		if e := x.reread(appendLowered(nil, x.endpoint.speaks, x.veil.body, p)); e != nil {
			return e
		}
	}
	return x.terms()
}

// reread puts another body in the place of the client's, as redactions left it. The model stays: a route may
// have chosen it.
func (x *exchange) reread(body []byte) *dialect.Error {
	model := x.asked().Model
	x.veil.body = body
	if e := x.wire().Decode(&x.call, x.target(), body); e != nil {
		return e
	}
	x.call.Model = model
	return x.translate()
}

// clear forgets what the policies said, keeping the memory.
func (j *judged) clear() {
	headers := slices.Delete(j.headers, 0, len(j.headers))
	*j = judged{headers: headers}
}
