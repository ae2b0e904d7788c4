package proxy

import (
	"crypto/sha256"
	"strconv"
	"strings"
	"time"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/bound"
	"purser/proxy/dialect"
	"purser/proxy/lever"
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
	levers   lever.Set
	prompt   templated         // nothing, where the request names no template
	visit    loop.Visit        // to a rule about loops, if there is one
	looped   loop.Found        // what it found
	call     dialect.Call      // as it goes upstream
	original dialect.Call      // as the client made it, of a call that is translated
	left     []string          // places in it of hints that the translation left out
	groups   map[string]string // of its tools, by their names as they go upstream
	routed   bool              // the model that was asked for is the name of a route
	given    []byte            // the client's body, as it is for each candidate of a route
	routing  routing           // of a route with candidates
	route_   chosen
	judged   judged
	veil     veil
	limits   Hold // requests and slots, from govern on
	hints    cacheHints
	guessed  bool // the tokens of the shape are by another model's tokenizer

	refusedBy ruledBy // the policy that refuses the request

	chain    Chain
	cacheKey [sha256.Size]byte
	caching  caching
	flight   Flight // not nil while others may be waiting for this answer
	alike    Flight // the same, others that ask the same question in other words
	store    bool   // the answer may be kept
	asking   any    // the semantic cache's, of a question that it may learn the answer to
	once     once   // of a request with an Idempotency-Key

	kept    string   // the model of the answer that the request is about
	homeKey string   // the credential that keeps what the call takes up, of a pool
	tried   []string // the credentials of attempts

	counted int64 // input tokens as the provider counted them, with a margin
	attempt attempt
	earlier ledger.Amount // what attempts before it cost
	rec     record.Record
	fill    *Fill
	tracing tracing
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
	cap      int64       // output tokens for each answer
	write    bool        // the cap must be written into the request
	instead  *price.Rate // of the baseline of its route, which savings are counted against; nil for none
	calls    int64       // of tools that the provider runs
	sliced   bool        // the hold grows with the stream
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
	x.levers = lever.Default()
	x.rec = record.Record{
		ID: g.seams.NewID(), At: g.seams.Now(), Prices: g.prices.Hash(),
		Charges: x.rec.Charges[:0], Savings: x.rec.Savings[:0],
		Dims: ledger.Dimensions{Tags: x.rec.Dims.Tags[:0]}, Rulings: x.rec.Rulings[:0],
		Route: record.Route{Considered: x.rec.Route.Considered[:0]},
	}
	x.readTrace()
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
	if e := x.render(); e != nil {
		return e
	}
	x.given = x.veil.body
	if e := x.wire().Decode(&x.call, x.target(), x.veil.body); e != nil {
		return e
	}
	x.rec.Stream = x.call.Stream
	if len(x.call.Model) > ledger.MaxDimValue {
		return dialect.NewError(dialect.CodeInvalidValue, "model", "the model's name is longer than %d bytes", ledger.MaxDimValue)
	}
	if !isText(x.call.Model) { // as a path may have it
		return dialect.NewError(dialect.CodeInvalidValue, "model", "the model's name has control characters or is not UTF-8")
	}
	x.rec.Model = x.call.Model
	return nil
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
