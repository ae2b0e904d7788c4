package proxy

import (
	"cmp"
	"crypto/sha256"
	"net/url"
	"strconv"
	"strings"
	"time"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/bound"
	"purser/proxy/dialect"
	"purser/proxy/loop"
	"purser/proxy/price"
	"purser/proxy/upstream"
)

// exchange is one request on its way. Its fields are filled from top to bottom
// as the stages pass; nothing is filled twice but what belongs to an attempt.
type exchange struct {
	g   *Gateway
	req *Request

	began    time.Time
	endpoint *endpoint
	model    string // that the path names, "" where the body does
	client   dialect.Client
	key      *Principal
	secret   []byte // it was found by
	rules    Rules
	visit    loop.Visit        // to a rule about loops, if there is one
	looped   loop.Found        // what it found
	call     dialect.Call      // as it goes upstream
	original dialect.Call      // as the client made it, of a call that is translated
	left     []string          // places in it of hints that the translation left out
	groups   map[string]string // of its tools, by their names as they go upstream
	routed   bool              // the model that was asked for is the name of a route
	route_   chosen
	judged   judged
	veil     veil
	limits   Hold // requests and slots, from govern on

	refusedBy ruledBy // the policy that refuses the request

	chain    Chain
	cacheKey [sha256.Size]byte
	flight   Flight // not nil while others may be waiting for this answer
	store    bool   // the answer may be kept

	homeKey string   // the credential that keeps what the call takes up, of a pool
	tried   []string // the credentials of attempts

	counted int64 // input tokens as the provider counted them, with a margin
	attempt attempt
	earlier ledger.Amount // what attempts before it cost
	rec     record.Record
	fill    *Fill
	stream  stream                // in use from the first byte of a streamed answer
	readers [wires]dialect.Meter  // of streams, by format, kept for their memory
	endings [wires]dialect.Ending // the same
	body    []byte                // the upstream's request body
	scratch []byte

	costInUsage bool // the client wants the cost in the answer's usage

	resume bool // the request goes on after Serve has returned: as a stream
	ended  bool
}

// chosen is where the call goes and what it may cost.
type chosen struct {
	up    *Upstream
	wire  Wire   // spoken upstream
	model string // the name that prices know it by
	sent  string // the upstream's name of it
	rate  *price.Rate

	regional []*price.Rate // that may apply instead of rate
	tier     price.Tier
	cap      int64 // output tokens for each answer
	write    bool  // the cap must be written into the request
	calls    int64 // of tools that the provider runs
	sliced   bool  // the hold grows with the stream
}

// attempt is one upstream call.
type attempt struct {
	n      int
	hold   Hold
	claim  Claim
	margin margin // in claim
	bound  record.Bound
	key    attemptKey
	res    *upstream.Response

	sliced sliced // in use where the route says so
}

func (g *Gateway) begin(r *Request) *exchange {
	x := g.exchanges.Get().(*exchange)
	g.running.Add(1)
	x.req, x.began, x.counted, x.rules = r, time.Now(), notCounted, noRules{}
	x.rec = record.Record{
		ID: g.seams.NewID(), At: g.seams.Now(), Prices: g.prices.Hash(),
		Charges: x.rec.Charges[:0], Savings: x.rec.Savings[:0],
		Dims: ledger.Dimensions{Tags: x.rec.Dims.Tags[:0]}, Rulings: x.rec.Rulings[:0],
	}
	x.client = dialect.ClientOf(r.Header.Peek("User-Agent"), r.Header.Peek("originator"))
	return x
}

// leave ends the exchange unless it goes on as a stream. After a panic it still
// gives back what is held before the panic goes on to the edge.
func (x *exchange) leave() {
	if !x.resume {
		x.finish()
	}
}

// builtin answers what needs no key: probes, unknown routes and methods, and a
// node on its way down.
func (x *exchange) builtin() *Answer {
	if x.req.Path == "/" && (x.req.Method == "HEAD" || x.req.Method == "GET") {
		return &Answer{Status: 200, Header: []HeaderField{{"Content-Type", "text/plain; charset=utf-8"}}, Body: []byte("purser\n")}
	}
	x.endpoint, x.model = endpointOf(x.req)
	if x.endpoint == nil || x.endpoint.models && isUnpricedMethod(x.req.Path) {
		return x.answer(noRoute(x.req.Method, x.req.Path))
	}
	if !x.endpoint.takes(x.req.Method) {
		return x.answer(dialect.NewError(dialect.CodeMethod, "", "%s takes %s, not %s", x.endpoint.path, x.endpoint.method(), x.req.Method))
	}
	if x.g.draining.Load() {
		e := dialect.NewError(dialect.CodeShuttingDown, "", "this node is shutting down; try again, another node or this one will answer")
		e.RetryAfterMillis = drainRetryMillis
		return x.answer(e)
	}
	return nil
}

// drainRetryMillis is long enough for a load balancer to notice.
const drainRetryMillis = 1000

func quotePath(p string) string {
	const most = 128
	if len(p) > most {
		p = p[:most] + "…"
	}
	return strconv.Quote(p)
}

// authenticate finds the holder of the virtual key. Where a dialect has a place
// of its own for keys, clients may send several, of which one is ours: the one
// that is known here counts.
func (x *exchange) authenticate() *dialect.Error {
	var key *Principal
	state, sent := KeyUnknown, false
	for _, secret := range x.secrets() {
		if len(secret) == 0 || state != KeyUnknown {
			continue
		}
		sent, x.secret = true, secret
		if isChild(secret) {
			var e *dialect.Error
			if key, e = x.findChild(secret); e != nil {
				return e
			}
			state = KeyActive
			continue
		}
		key, state = x.g.seams.Keys.Find(sha256.Sum256(secret), x.rec.At)
	}
	if key != nil {
		x.rec.Dims.Values[ledger.DimKey] = key.ID
	}
	switch {
	case !sent:
		return dialect.NewError(dialect.CodeInvalidKey, "", "no API key: send a Purser virtual key as `Authorization: Bearer pk_…`%s", x.orKeyHeader()+x.orBringKey())
	case state == KeyActive:
		x.key = key
		if e := x.permit(); e != nil {
			return e
		}
		return x.fixRules()
	case state == KeyRevoked:
		return dialect.NewError(dialect.CodeRevokedKey, "", "this virtual key was revoked; ask whoever runs this gateway for another")
	case state == KeyReplaced:
		return dialect.NewError(dialect.CodeRevokedKey, "", "this secret of the virtual key was replaced by a rotation, and its overlap is over; use the one that replaced it")
	case state == KeyExpired:
		return dialect.NewError(dialect.CodeExpiredKey, "", "this virtual key has expired; ask whoever runs this gateway for another")
	case state == KeySuspended:
		return dialect.NewError(dialect.CodeSuspendedKey, "", "this virtual key is suspended; ask whoever runs this gateway to resume it")
	}
	return x.unknownKey()
}

// fixRules takes the rules that this request goes by.
func (x *exchange) fixRules() *dialect.Error {
	var err error
	if x.rules, err = x.g.seams.Rules.Rules(); err != nil {
		return undecided(err)
	}
	return nil
}

// unknownKey refuses a key that nobody has. Who holds a good one is never kept
// waiting for others behind the same address: keys cannot be guessed, so that only
// failures have to be slowed down.
func (x *exchange) unknownKey() *dialect.Error {
	if counts := x.g.seams.Attempts; counts != nil {
		if wait := counts.Failed(x.g.clientAddress(x.req), x.began); wait > 0 {
			e := dialect.NewError(dialect.CodeTooManyFailures, "", "too many requests with unknown keys from this address; check the key")
			e.RetryAfterMillis = wait.Milliseconds()
			return e
		}
	}
	return dialect.NewError(dialect.CodeInvalidKey, "", "this is not a virtual key of this gateway (a provider's own key does not work here)%s", x.orBringKey())
}

func (x *exchange) orKeyHeader() string {
	if h := x.speaks().KeyHeader(); h != "" {
		return ", or as `" + h + "`"
	}
	return ""
}

// secrets are what may be the virtual key: the header that is for it alone, if it
// is there, else what the request carries for its provider.
func (x *exchange) secrets() (found [3][]byte) {
	if own := x.req.Header.Peek(headerKey); len(own) > 0 {
		return [3][]byte{own}
	}
	return x.providerKeys()
}

// providerKeys are the keys that the request carries: in the header and the
// parameter that its dialect has for them, and as a bearer token.
func (x *exchange) providerKeys() (found [3][]byte) {
	w := x.speaks()
	if h := w.KeyHeader(); h != "" {
		found[0] = x.req.Header.Peek(h)
	}
	if name := keyParameters[w]; name != "" && x.req.Query != "" {
		if query, err := url.ParseQuery(x.req.Query); err == nil {
			found[1] = []byte(query.Get(name))
		}
	}
	auth := x.req.Header.Peek("Authorization")
	const bearer = "bearer "
	if len(auth) > len(bearer) && strings.EqualFold(string(auth[:len(bearer)]), bearer) {
		found[2] = auth[len(bearer):]
	}
	return found
}

func (x *exchange) target() dialect.Target {
	e := x.endpoint
	return dialect.Target{Endpoint: e.kind, Operation: e.operation, Model: x.model, Stream: e.stream, Query: x.req.Query, Features: x.features()}
}

func (x *exchange) decode() *dialect.Error {
	x.rec.Endpoint, x.rec.Dialect = x.endpoint.path, x.endpoint.speaks.String()
	if x.endpoint.query && strings.ContainsFunc(x.req.Query, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '#' }) {
		return dialect.NewError(dialect.CodeInvalidValue, "", "the query has bytes that no URL has")
	}
	if x.endpoint.kind == dialect.Lookup {
		return x.decodeLookup()
	}
	x.veil.body = x.req.Body
	if e := x.wire().Decode(&x.call, x.target(), x.veil.body); e != nil {
		return e
	}
	x.rec.Model, x.rec.Stream = x.call.Model, x.call.Stream
	if len(x.call.Model) > ledger.MaxDimValue {
		return dialect.NewError(dialect.CodeInvalidValue, "model", "the model's name is longer than %d bytes", ledger.MaxDimValue)
	}
	return nil
}

// route chooses the upstream: the first that serves the model in the client's own
// dialect, else the first that serves it in one that the call can be translated to.
func (x *exchange) route() *dialect.Error {
	c := &x.route_
	var pinned string
	if model, upstream, ok := x.rules.Route(x.call.Model); ok {
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

// terms fixes what the call may cost where it goes.
func (x *exchange) terms() *dialect.Error {
	if x.endpoint.kind.Free() {
		return nil
	}
	if e := x.rate(); e != nil {
		return e
	}
	if e := x.limit(); e != nil {
		return e
	}
	x.route_.sliced = x.slices()
	return nil
}

// rate finds what the call is charged by.
func (x *exchange) rate() *dialect.Error {
	c := &x.route_
	rate, ok := x.price()
	if !ok {
		return dialect.NewError(dialect.CodeUnpriced, "model", "there is no price for %q at %s, so its cost cannot be capped; the operator can add one, or a ceiling price, to the price overrides", c.model, c.up.Provider)
	}
	tier, ok := price.ParseTier(x.call.ServiceTier)
	if !ok {
		return dialect.NewError(dialect.CodeInvalidValue, "service_tier", "the service tier %q is not known, so its cost cannot be capped", x.call.ServiceTier)
	}
	if tier == price.Priority && !rate.Lists(tier) {
		return dialect.NewError(dialect.CodeUnpriced, "service_tier", "there is no price for %q at the service tier %q, so its cost cannot be capped; the operator can add one to the price overrides", c.model, x.call.ServiceTier)
	}
	for _, t := range x.call.Paid {
		if !rate.Prices(t.Meter) {
			return dialect.NewError(dialect.CodeUnpriced, t.Param, "there is no price for calls of %s with %q, so their cost cannot be capped; the operator can add one to the price overrides", t.Meter, c.model)
		}
	}
	c.rate, c.tier = rate, tier
	x.rec.RateID = rate.ID
	return nil
}

// limit fixes the caps of the call, and which of them have to be written into it.
func (x *exchange) limit() *dialect.Error {
	c, rate := &x.route_, x.route_.rate
	if len(x.call.Paid) > 0 && !x.call.NoCalls {
		c.calls = cmp.Or(x.call.MaxCalls, x.g.cfg.DefaultCalls)
		if c.calls == 0 {
			return dialect.NewError(dialect.CodeUnbounded, "max_tool_calls", "how often the provider may run %s is not limited, so the cost cannot be capped: set 'max_tool_calls'", x.call.Paid[0].Param)
		}
	}
	switch {
	case !x.endpoint.kind.Generates() || x.call.NoOutput:
		return nil
	case x.endpoint.kind == dialect.Compact: // takes no cap
		if c.cap = x.largestOutput(); c.cap == 0 {
			return dialect.NewError(dialect.CodeUnbounded, "model", "the largest output of %q is not known, so the cost of compacting with it cannot be capped", c.model)
		}
		return nil
	}
	c.cap, c.write = x.call.MaxOutput, false
	if c.cap == 0 {
		c.cap, c.write = cmp.Or(x.call.UsualOutput, x.g.cfg.DefaultOutput), true
	}
	for _, most := range [...]int64{rate.MaxOutput, x.judged.cap} {
		if most > 0 && c.cap > most {
			c.cap, c.write = most, true
		}
	}
	return nil
}

// price finds the rate of the chosen model, or those of the regions where the
// provider may process the call.
func (x *exchange) price() (*price.Rate, bool) {
	c := &x.route_
	c.regional = nil
	if len(x.call.Regions) == 0 {
		return x.g.prices.FindIn(c.up.Provider, c.up.Region, c.model, x.rec.At)
	}
	rate, ok := x.g.prices.FindIn(c.up.Provider, cmp.Or(x.call.Regions[0], c.up.Region), c.model, x.rec.At)
	for _, region := range x.call.Regions[1:] {
		if r, found := x.g.prices.FindIn(c.up.Provider, cmp.Or(region, c.up.Region), c.model, x.rec.At); found && r != rate {
			c.regional = append(c.regional, r)
		}
	}
	return rate, ok
}

// govern resolves the accounts and holds those that count requests and slots.
func (x *exchange) govern() *dialect.Error {
	if x.key.Capped != nil {
		if e := x.key.Capped(x.g.base); e != nil {
			return e
		}
	}
	chain, err := x.g.seams.Purse.Chain(&x.rec.Dims)
	if err != nil {
		return undecided(err)
	}
	x.chain = chain
	hold, refusal, err := x.reserve(Limits, Claim{})
	switch {
	case err != nil:
		return undecided(err)
	case refusal != nil:
		return x.refused(refusal)
	}
	x.limits = hold
	return nil
}

func (x *exchange) reserve(p Part, c Claim) (Hold, *Refusal, error) {
	if hold, ok := x.chain.Try(p, c); ok {
		return hold, nil, nil
	}
	began := time.Now()
	hold, refusal, err := x.chain.Reserve(x.g.base, p, c)
	x.rec.Admit += int64(time.Since(began))
	return hold, refusal, err
}

func (x *exchange) boundModel() bound.Model {
	return bound.Model{Name: x.route_.model, Tokenizer: x.route_.rate.Tokenizer, ContextWindow: max(x.route_.rate.ContextWindow, x.call.Window)}
}
