package proxy

import (
	"math/rand/v2"
	"strconv"
	"time"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/bound"
	"purser/proxy/dialect"
	"purser/proxy/policy"
	"purser/proxy/price"
	"purser/proxy/route"
	"purser/proxy/upstream"
)

// routing is the way of a request through the candidates of its route.
type routing struct {
	route    *route.Route // nil: the request asks for a model, or for an alias
	to       []candidate  // in the order in which they are tried
	at       int          // the one whose turn it is
	tries    int          // how often it was asked
	ready    bool         // the stages behind the route are passed for it
	shaped   bool         // the call is what is sent to it
	looked   bool         // for loops
	baseline *price.Rate  // of the one that savings are counted against
	refused  *refusal     // what the client is told when no other is left
}

// candidate is one place where the call may go.
type candidate struct {
	chosen
	asked string // the model, as the route has it
}

// order puts the candidates of a route in order, and takes the first.
func (x *exchange) order(r *route.Route, home *Upstream) *dialect.Error {
	list, f, e := x.survey(r, home)
	if e != nil {
		return e
	}
	d := r.Order(f)
	x.recordOrder(r, &d)
	if len(d.Order) == 0 {
		return x.noCandidate(&d)
	}
	p := &x.routing
	p.route = r
	for _, o := range d.Order {
		p.to = append(p.to, list[o.At])
	}
	if i, ok := r.Baseline(); ok {
		p.baseline = list[i].rate
	}
	x.take()
	return nil
}

// take makes the candidate whose turn it is the one that the call goes to.
func (x *exchange) take() {
	c := &x.routing.to[x.routing.at]
	x.route_, x.call.Model = c.chosen, c.asked
	x.route_.instead = x.routing.baseline
	x.goes()
}

// noCandidate says why none may serve the request. What only its operator needs to
// know of a route is in the record.
func (x *exchange) noCandidate(d *route.Decision) *dialect.Error {
	code, why := dialect.CodeModelNotFound, ""
	for i, o := range d.Out {
		if i > 0 {
			why += "; "
		}
		why += x.rec.Route.Considered[i].Model + ": " + o.Why
	}
	for _, o := range d.Out {
		if o.Why == notPermitted {
			code = dialect.CodeProviderNotAllowed
		}
	}
	return dialect.NewError(code, "model", "no candidate of the route %q may serve this request (%s)", x.rec.Model, why)
}

// recordOrder notes the decision.
func (x *exchange) recordOrder(r *route.Route, d *route.Decision) {
	x.rec.Route.Strategy, x.rec.Route.Reason = string(r.Strategy()), d.Reason
	list := make([]record.Considered, 0, len(d.Order)+len(d.Out))
	for _, part := range [...][]route.Placed{d.Order, d.Out} {
		for _, o := range part {
			c := &r.Candidates()[o.At]
			list = append(list, record.Considered{Model: c.Model, Upstream: c.Upstream, Score: o.Score, Why: o.Why})
		}
	}
	x.rec.Route.Considered = list
}

// survey gathers what is known of the request and of each candidate.
func (x *exchange) survey(r *route.Route, home *Upstream) ([]candidate, *route.Facts, *dialect.Error) {
	specs, now := r.Candidates(), time.Now()
	f := &route.Facts{Of: make([]route.Fact, len(specs)), Needs: x.needs(), Spent: -1, Random: rand.Uint64()}
	if dim, ok := r.Sticky(); ok {
		f.Sticky = x.rec.Dims.Values[dim]
	}
	list := make([]candidate, len(specs))
	first := -1
	for i := range specs {
		list[i] = x.seek(&specs[i], home, &f.Of[i])
		x.appraise(r, &list[i], &f.Of[i], now)
		if f.Tokens = max(f.Tokens, x.promptLength(list[i].rate)); f.Of[i].Barred == "" && first < 0 {
			first = i
		}
		if x.endpoint.kind == dialect.Embeddings && specs[i].Model != specs[0].Model {
			f.Of[i].Barred = "its vectors do not compare with those of " + specs[0].Model
		}
	}
	x.route_, x.call.Model = chosen{}, x.rec.Model
	if r.ReadsRequest() {
		f.Input = x.question(r)
	}
	if r.Strategy() == route.BudgetAware && first >= 0 {
		spent, e := x.spent(&list[first])
		if e != nil {
			return nil, nil, e
		}
		f.Spent = spent
	}
	if r.Strategy() == route.Learned {
		x.learn(r, f)
	}
	return list, f, nil
}

// Why a candidate is out, as the client may read it.
const (
	notPermitted = "this key may not use its provider or upstream"
	notServed    = "no upstream serves it"
	notHere      = "it does not keep the answer that this request refers to"
	notPriced    = "it has no price"
)

// seek finds where a candidate would send the call.
func (x *exchange) seek(s *route.Candidate, home *Upstream, f *route.Fact) (c candidate) {
	c.asked = s.Model
	var only *Upstream
	if s.Upstream != "" {
		if only = x.g.named(s.Upstream); only == nil {
			f.Barred = notServed
			return c
		}
	}
	if home != nil && only != nil && home != only {
		f.Barred = notHere
		return c
	}
	to, ok := x.find(s.Model, only, home)
	if !ok {
		f.Barred = notServed
		for _, u := range x.g.upstreams {
			if _, serves := u.serves(s.Model); serves && (only == nil || u == only) && !x.key.permits(u) {
				f.Barred = notPermitted
			}
		}
		return c
	}
	c.chosen = to
	f.Provider, f.Upstream, f.Model, f.Sent = to.up.Provider, to.up.Name, to.model, to.sent
	return c
}

// appraise says what the call would cost at a candidate, and how that one does.
func (x *exchange) appraise(r *route.Route, c *candidate, f *route.Fact, now time.Time) {
	if f.Barred != "" {
		return
	}
	x.route_, x.call.Model = c.chosen, c.asked
	if e := x.bringsKey(); e != nil {
		f.Barred = "the caller brought no key for it"
		return
	}
	f.Regions = x.regions()
	f.Ailing = x.ails(c.up, c.model, now)
	f.P50, f.P90 = x.g.latencies.of(latencyKey{c.up.Name, c.model, x.call.Stream}, x.rec.At)
	rate, ok := x.price()
	switch {
	case ok:
		c.rate = rate
	case !x.endpoint.kind.Free():
		f.Barred = notPriced
		return
	default:
		return
	}
	f.Window = max(rate.ContextWindow, x.call.Window)
	in, out := x.promptLength(rate), x.answerLength(r, rate)
	f.Cost = rate.Cost(&price.Usage{price.InputText: in, price.OutputText: out}, price.Standard)
	f.Bounds = x.fixedBound(rate)
}

// fixedBound is the most that the call can cost at a rate by the cheapest bound, for
// conditions; nil where that is not known.
func (x *exchange) fixedBound(rate *price.Rate) policy.Bounder {
	in, ok := bound.Input(&x.call, bound.Model{Name: x.route_.model, ContextWindow: max(rate.ContextWindow, x.call.Window)}, bound.Bytes)
	if !ok {
		return nil
	}
	limit := x.call.MaxOutput
	if limit == 0 {
		limit = x.g.cfg.DefaultOutput
	}
	if rate.MaxOutput > 0 {
		limit = min(limit, rate.MaxOutput)
	}
	out := bound.Output(&x.call, bound.Model{Name: x.route_.model}, limit)
	return policy.Fixed{Input: in.Tokens, Cost: rate.Bound(in.Tokens, out, price.Auto)}
}

// bytesPerToken is about how many bytes of text a token has, whatever the tokenizer: for
// the choice of a price. Candidates are compared by it: a count that is exact for one and a bound for
// another would make the second look dear.
const bytesPerToken = 4

// promptLength is about how many tokens the prompt has; 0 where content that is not in the
// request makes that unknown.
func (x *exchange) promptLength(rate *price.Rate) int64 {
	if rate == nil {
		return 0
	}
	in, ok := bound.Input(&x.call, bound.Model{Name: x.route_.model}, bound.Bytes)
	if !ok || in.Window {
		return 0
	}
	text := x.call.TextBytes + x.call.ToolBytes
	return in.Tokens - text + (text+bytesPerToken-1)/bytesPerToken
}

// answerLength is how many tokens the answers are expected to have.
func (x *exchange) answerLength(r *route.Route, rate *price.Rate) int64 {
	if !x.endpoint.kind.Generates() || x.call.NoOutput {
		return 0
	}
	n := r.ExpectedOutput()
	for _, most := range [...]int64{x.call.MaxOutput, rate.MaxOutput} {
		if most > 0 {
			n = min(n, most)
		}
	}
	return n * max(x.call.N, 1)
}

// needs are what the request asks of a model.
func (x *exchange) needs() (list []route.Need) {
	if x.call.Tools > 0 || len(x.call.Paid) > 0 {
		list = append(list, route.Tools)
	}
	if len(x.call.Images) > 0 {
		list = append(list, route.Images)
	}
	if x.call.Files > 0 {
		list = append(list, route.Files)
	}
	if asksJSON(x.veil.body) {
		list = append(list, route.JSONSchema)
	}
	return list
}

// ails says why an upstream is likely to fail a call of a model at present; "" where
// nothing is known against it.
func (x *exchange) ails(up *Upstream, model string, now time.Time) string {
	if up.Pool == nil {
		id := up.Credential
		if up.CallerKeys {
			id = callerCredential
		}
		return x.g.ailing(upstream.BreakerKey{Upstream: up.Name, Credential: id, Model: model}, now)
	}
	why := ""
	for _, id := range up.Pool.Order(&x.rec.Dims, x.rec.At, 0) {
		if why = x.g.ailing(upstream.BreakerKey{Upstream: up.Name, Credential: id, Model: model}, now); why == "" {
			return ""
		}
	}
	return why
}

func (g *Gateway) ailing(k upstream.BreakerKey, now time.Time) string {
	if g.breakers.State(now, k) == upstream.Open {
		return "its circuit breaker is open"
	}
	if rest := g.cooldowns.Resting(now, k); rest > 0 {
		return "it rests for " + strconv.FormatInt(int64(rest.Round(time.Second)/time.Second), 10) + " s, as it asked for or after it refused"
	}
	return ""
}

// question is the request as conditions know it, but for where it goes.
func (x *exchange) question(r *route.Route) *policy.Input {
	in := x.unrouted(&x.call, x.call.MaxOutput)
	if r.ReadsSampling() {
		in.Params.Temperature, in.Params.TopP = readSampling(x.endpoint.speaks, x.veil.body)
	}
	return &in
}

// spent is the share of the tightest budget of money that was spent, of those that a
// call of c is charged to; below zero where there is none.
func (x *exchange) spent(c *candidate) (int64, *dialect.Error) {
	d := x.rec.Dims
	d.Values[ledger.DimModel], d.Values[ledger.DimProvider] = c.asked, c.up.Provider
	chain, err := x.g.seams.Purse.Chain(&d)
	if err != nil {
		return 0, undecided(err)
	}
	defer chain.Recycle()
	room, ok := x.g.seams.Purse.Room(chain)
	if !ok || room.Limit <= 0 {
		return -1, nil
	}
	const million = 1_000_000
	return million - int64(float64(max(room.Left, 0))/float64(room.Limit)*million), nil
}
