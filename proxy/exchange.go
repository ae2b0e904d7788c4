package proxy

import (
	"crypto/sha256"
	"net/url"
	"strconv"
	"strings"
	"time"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/bound"
	"purser/proxy/dialect"
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
	call     dialect.Call
	route_   chosen
	limits   Hold // requests and slots, from govern on

	chain    Chain
	cacheKey [sha256.Size]byte
	flight   Flight // not nil while others may be waiting for this answer
	store    bool   // the answer may be kept

	attempt attempt
	rec     record.Record
	fill    *Fill
	stream  stream               // in use from the first byte of a streamed answer
	readers [wires]dialect.Meter // of streams, by format, kept for their memory
	body    []byte               // the upstream's request body
	scratch []byte
	resume  bool // the request goes on after Serve has returned: as a stream
	ended   bool
}

// chosen is where the call goes and what it may cost.
type chosen struct {
	up    *Upstream
	model string // the upstream's name of it
	rate  *price.Rate
	tier  price.Tier
	cap   int64 // output tokens for each answer
	write bool  // the cap must be written into the request
}

// attempt is one upstream call.
type attempt struct {
	n     int
	hold  Hold
	claim Claim
	bound record.Bound
	res   *upstream.Response
}

func (g *Gateway) begin(r *Request) *exchange {
	x := g.exchanges.Get().(*exchange)
	g.running.Add(1)
	x.req, x.began = r, time.Now()
	x.rec = record.Record{
		ID: g.seams.NewID(), At: g.seams.Now(), Prices: g.prices.Hash(),
		Charges: x.rec.Charges[:0], Savings: x.rec.Savings[:0],
		Dims: ledger.Dimensions{Tags: x.rec.Dims.Tags[:0]},
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

// builtin answers what needs no key: unknown routes and methods, and a node on
// its way down.
func (x *exchange) builtin() *Answer {
	x.endpoint, x.model = endpointOf(x.req)
	if x.endpoint == nil {
		return x.answer(dialect.NewError(dialect.CodeRouteNotFound, "", "no route %s %s; this node speaks OpenAI's /v1/chat/completions, /v1/embeddings and /v1/models, and Gemini's /v1beta/models", x.req.Method, quotePath(x.req.Path)))
	}
	want := "POST"
	if x.endpoint.models {
		want = "GET"
	}
	if x.req.Method != want {
		return x.answer(dialect.NewError(dialect.CodeMethod, "", "%s takes %s, not %s", x.endpoint.path, want, x.req.Method))
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

func (x *exchange) authenticate() *dialect.Error {
	secret := x.secret()
	if len(secret) == 0 {
		return dialect.NewError(dialect.CodeInvalidKey, "", "no API key: send a Purser virtual key as `Authorization: Bearer pk_…`%s", x.orKeyHeader())
	}
	key, state := x.g.seams.Keys.Find(sha256.Sum256(secret), x.rec.At)
	if key != nil {
		x.rec.Dims.Values[ledger.DimKey] = key.ID
	}
	switch state {
	case KeyActive:
		x.key = key
		return nil
	case KeyRevoked:
		return dialect.NewError(dialect.CodeRevokedKey, "", "this virtual key was revoked; ask whoever runs this gateway for another")
	case KeyExpired:
		return dialect.NewError(dialect.CodeExpiredKey, "", "this virtual key has expired; ask whoever runs this gateway for another")
	default:
		return dialect.NewError(dialect.CodeInvalidKey, "", "this is not a virtual key of this gateway (a provider's own key does not work here)")
	}
}

func (x *exchange) orKeyHeader() string {
	if h := x.speaks().KeyHeader(); h != "" {
		return ", or as `" + h + "`"
	}
	return ""
}

// secret is the client's key: in the header that its dialect has for it, else in
// its query, else as a bearer token.
func (x *exchange) secret() []byte {
	w := x.speaks()
	if name := w.KeyHeader(); name != "" {
		if key := x.req.Header.Peek(name); len(key) > 0 {
			return key
		}
	}
	if name := keyParameters[w]; name != "" && x.req.Query != "" {
		if query, err := url.ParseQuery(x.req.Query); err == nil && query.Get(name) != "" {
			return []byte(query.Get(name))
		}
	}
	auth := x.req.Header.Peek("Authorization")
	const bearer = "bearer "
	if len(auth) > len(bearer) && strings.EqualFold(string(auth[:len(bearer)]), bearer) {
		return auth[len(bearer):]
	}
	return nil
}

func (x *exchange) target() dialect.Target {
	e := x.endpoint
	return dialect.Target{Endpoint: e.kind, Operation: e.operation, Model: x.model, Stream: e.stream, Query: x.req.Query}
}

func (x *exchange) decode() *dialect.Error {
	x.rec.Endpoint, x.rec.Dialect = x.endpoint.path, x.endpoint.speaks.String()
	if e := x.wire().Decode(&x.call, x.target(), x.req.Body); e != nil {
		return e
	}
	x.rec.Model, x.rec.Stream = x.call.Model, x.call.Stream
	if len(x.call.Model) > ledger.MaxDimValue {
		return dialect.NewError(dialect.CodeInvalidValue, "model", "the model's name is longer than %d bytes", ledger.MaxDimValue)
	}
	return nil
}

// route chooses the upstream and fixes what the call may cost there.
func (x *exchange) route() *dialect.Error {
	c := &x.route_
	for _, u := range x.g.upstreams {
		if name, ok := u.serves(x.call.Model); ok && u.Speaks == x.endpoint.speaks {
			c.up, c.model = u, name
			break
		}
	}
	if c.up == nil {
		return dialect.NewError(dialect.CodeModelNotFound, "model", "no upstream of this gateway serves the model %q; GET /v1/models lists what there is", x.call.Model)
	}
	rate, ok := x.g.prices.Find(c.up.Provider, c.model, x.rec.At)
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
	c.rate, c.tier = rate, tier
	x.rec.Upstream, x.rec.RateID = c.up.Name, rate.ID
	x.rec.Dims.Values[ledger.DimModel] = x.call.Model
	x.rec.Dims.Values[ledger.DimProvider] = c.up.Provider
	if x.endpoint.kind != dialect.Chat {
		return nil
	}
	c.cap, c.write = x.call.MaxOutput, false
	if c.cap == 0 {
		c.cap, c.write = x.g.cfg.DefaultOutput, true
	}
	if rate.MaxOutput > 0 && c.cap > rate.MaxOutput {
		c.cap = rate.MaxOutput
		c.write = true
	}
	return nil
}

// govern resolves the accounts and holds those that count requests and slots.
func (x *exchange) govern() *dialect.Error {
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
		return refused(refusal, x.rec.At)
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
	return bound.Model{Name: x.route_.model, Tokenizer: x.route_.rate.Tokenizer, ContextWindow: x.route_.rate.ContextWindow}
}
