package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"purser/ledger"
	"purser/proxy/price"
	"purser/proxy/promptcache"
	"purser/proxy/route"
	"purser/proxy/upstream"
)

// Config bounds the request path.
type Config struct {
	// DefaultOutput caps the answer of a request that names no cap, in tokens.
	// Default 8192, at least 1: it decides how much such a request holds.
	DefaultOutput int64
	// DefaultCalls limits the calls of tools that the provider runs, of a request
	// that names no limit. Default 4, 0 to 1000; 0 refuses such a request. The
	// model reads its prompt again after each call, so it decides what they hold.
	DefaultCalls int64
	// Attempts is how many upstream calls one request may make. Default 3, 1 to 10.
	Attempts int
	// MaxAnswer bounds an answer that is read whole, in bytes. Default 64 MiB.
	MaxAnswer int
	// CacheEntry bounds an answer worth keeping, in bytes. Default 1 MiB.
	CacheEntry int
	// Drains is how many upstream streams are read to their end at once after
	// their clients went away; beyond it a hang-up charges the hold. Default 1024.
	Drains int
	// DrainTime is how long one of them is read. Default 2 min.
	DrainTime time.Duration
	// CoalesceWait is how long a request waits for an identical one in flight
	// before it goes on alone. Default 30 s.
	CoalesceWait time.Duration
	// CountTime limits asking a provider how many tokens a prompt has. Default 1 s.
	CountTime time.Duration
	// DenyStatus is the status of a refusal for money: 402, the default; 412 or 429
	// for clients of a gateway that this one stands in for. Codex has a form of its
	// own in any case.
	DenyStatus int
	// DenyStatusByRoute is the same for routes by their path, such as
	// "/v1/chat/completions"; the others have DenyStatus.
	DenyStatusByRoute map[string]int
	// TrustedProxies are where the operator's own proxies are: what they say of whom
	// they forward is believed. Default none.
	TrustedProxies []netip.Prefix
	// OnceBytes bounds an answer that is kept for requests with the same Idempotency-Key,
	// in bytes. Default 1 MiB.
	OnceBytes int
	// Baggage reads dimensions from the W3C baggage header too. Default off.
	Baggage bool
}

// DefaultConfig is what [Config.Validate] accepts as it is.
func DefaultConfig() Config {
	return Config{
		DefaultOutput: 8192, DefaultCalls: 4, Attempts: 3, MaxAnswer: 64 << 20, CacheEntry: 1 << 20,
		Drains: 1024, DrainTime: 2 * time.Minute, CoalesceWait: 30 * time.Second, CountTime: time.Second, DenyStatus: http.StatusPaymentRequired, OnceBytes: 1 << 20,
	}
}

// Validate reports every field that is out of its range.
func (c Config) Validate() error {
	var errs []error
	in := func(name string, v, low, high int64) {
		if v < low || v > high {
			errs = append(errs, fmt.Errorf("%s is %d, not within %d to %d", name, v, low, high))
		}
	}
	in("default_output", c.DefaultOutput, 1, 1<<30)
	in("default_tool_calls", c.DefaultCalls, 0, 1000)
	in("attempts", int64(c.Attempts), 1, 10)
	in("max_answer_bytes", int64(c.MaxAnswer), 1<<10, 1<<30)
	in("cache.entry_bytes", int64(c.CacheEntry), 0, 64<<20)
	in("idempotency_bytes", int64(c.OnceBytes), 0, 32<<20)
	in("drains", int64(c.Drains), 0, 1<<16)
	span := func(name string, v, low, high time.Duration) {
		if v < low || v > high {
			errs = append(errs, fmt.Errorf("%s is %v, not within %v to %v", name, v, low, high))
		}
	}
	span("drain_time", c.DrainTime, time.Second, time.Hour)
	span("coalesce_wait", c.CoalesceWait, 0, 10*time.Minute)
	span("count_time", c.CountTime, time.Millisecond, time.Minute)
	if !slices.Contains(denyStatuses, c.DenyStatus) {
		errs = append(errs, fmt.Errorf("deny_status is %d, not one of %v", c.DenyStatus, denyStatuses))
	}
	for _, route := range slices.Sorted(maps.Keys(c.DenyStatusByRoute)) {
		if !slices.Contains(denyStatuses, c.DenyStatusByRoute[route]) {
			errs = append(errs, fmt.Errorf("deny_status_by_route: %s is %d, not one of %v", route, c.DenyStatusByRoute[route], denyStatuses))
		}
		if !charges(route) {
			errs = append(errs, fmt.Errorf("deny_status_by_route: %q is no route that is charged for", route))
		}
	}
	return errors.Join(errs...)
}

// CostSource says whose word on the cost of a call is taken.
type CostSource uint8

// The cost sources.
const (
	// ByCatalogue: what the catalogue makes of the usage.
	ByCatalogue CostSource = iota
	// ByProvider: what the answer says it cost, where it says so.
	ByProvider
)

// denyStatuses are those a refusal for money may have: this gateway's own,
// Portkey's, and LiteLLM's.
var denyStatuses = []int{http.StatusPaymentRequired, http.StatusPreconditionFailed, http.StatusTooManyRequests}

// denyStatus is the status of a refusal for money on a route.
func (c *Config) denyStatus(route string) int {
	return cmp.Or(c.DenyStatusByRoute[route], c.DenyStatus)
}

// Upstream is one configured provider endpoint with its credential.
type Upstream struct {
	Name     string
	Provider string   // as the price catalogue names it
	Models   []string // patterns of the client-side names it serves, such as "gpt-*"
	Aliases  map[string]string
	Client   *upstream.Client
	Speaks   Wire
	// ChatOnly says that of OpenAI's API it has no Responses: calls of them are
	// translated.
	ChatOnly bool
	// CapField is the name the upstream knows the output cap by:
	// "max_completion_tokens", or "max_tokens".
	CapField string
	// Region is where the upstream processes calls, as the catalogue names it; ""
	// where it does not say.
	Region string
	// Costs says whose word on a call's cost counts.
	Costs CostSource
	// Credential is the id of the client's one key, "" when it sends none.
	Credential string
	// Pool has its keys, one of which each call is sent with; nil where the client has its own.
	Pool KeyPool
	// CallerKeys says that it is asked with the caller's own key, of which nothing is kept.
	CallerKeys bool
	Form
	// Slicing says which streams may begin before their whole bound is held.
	Slicing Slicing
}

// native says whether the upstream takes calls in format w as they are.
func (u *Upstream) native(w Wire) bool {
	return u.Speaks == w.upstream() && !(u.ChatOnly && w == OpenAIResponses)
}

// Gateway serves requests.
type Gateway struct {
	cfg       Config
	upstreams []*Upstream
	seams     Seams
	prices    *price.Catalogue
	breakers  *upstream.Breakers
	cooldowns *upstream.Cooldowns
	policy    upstream.Policy
	log       *slog.Logger

	margins    margins
	learner    promptcache.Learner // of what prompts begin with
	latencies  latencies
	kept       *keptAnswers
	concealing concealing
	exchanges  sync.Pool
	drains     chan struct{}   // a token for each pump that runs
	running    sync.WaitGroup  // exchanges that have not ended
	base       context.Context // ends when the node stops for good
	draining   atomic.Bool
}

// Seams are what a Gateway works with.
type Seams struct {
	Keys        Keys
	Children    Children      // nil: there are none
	Attempts    Attempts      // nil: keys that nobody has are not counted
	Rules       Governance    // nil: there are none
	Loops       Loops         // nil: nobody looks for them
	Learner     route.Learner // nil: nothing was learned
	Outcomes    Outcomes      // nil: none are kept
	Purse       Purse
	Redactions  Redactions  // nil: nothing is redacted
	Compressors Compressors // nil: there is none outside
	Cache       Cache
	Semantic    Semantic    // nil: there is none; it needs the Cache
	Idempotency Idempotency // nil: nobody looks at Idempotency-Key
	Journal     Journal
	Denials     Denials    // nil: nobody is told
	Traces      Traces     // nil: no spans are made
	Nodes       func() int // how many share the requests; nil: this one alone
	NewID       func() string
	Now         func() ledger.Instant
	Log         *slog.Logger
}

// New returns a Gateway. When base ends, waiting and draining end too.
func New(base context.Context, cfg Config, ups []*Upstream, prices *price.Catalogue, s Seams) (*Gateway, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("request limits: %w", err)
	}
	g := &Gateway{
		cfg: cfg, upstreams: ups, kept: newKeptAnswers(maxKeptAnswers), seams: s, prices: prices, log: s.Log,
		drains: make(chan struct{}, cfg.Drains), base: base,
		breakers: upstream.NewBreakers(upstream.DefaultBreaker()), cooldowns: upstream.NewCooldowns(), policy: upstream.DefaultPolicy(),
	}
	if g.seams.Rules == nil {
		g.seams.Rules = noRules{}
	}
	g.policy.Attempts = cfg.Attempts
	g.exchanges.New = func() any { return &exchange{g: g} }
	return g, nil
}

// Drain makes the gateway refuse new requests with 503; those under way go on.
func (g *Gateway) Drain() { g.draining.Store(true) }

// Wait returns when every request has ended, abandoned streams included. The
// edge brings no more: it was shut down before.
func (g *Gateway) Wait() { g.running.Wait() }

// Breakers are the circuit breakers of the upstreams, for status and metrics.
func (g *Gateway) Breakers() *upstream.Breakers { return g.breakers }
