package node

import (
	"context"
	"fmt"
	"time"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy"
	"purser/proxy/lever"
	"purser/semcache"
	"purser/semcache/decide"
	"purser/semcache/embed"
	"purser/semcache/semantic"
)

// openSemantic opens the semantic cache, after the exact one, which has its answers.
func (n *Node) openSemantic(ctx context.Context) error {
	c := &n.cfg.Semcache
	if !c.Enabled || n.cache == nil {
		return nil
	}
	seal, err := n.openDataKey(ctx)
	if err != nil {
		return fmt.Errorf("the semantic cache: %w", err)
	}
	table, err := embed.NewStatic()
	if err != nil {
		return fmt.Errorf("the semantic cache: %w", err)
	}
	model, err := openModel(table)
	if err != nil {
		return fmt.Errorf("the semantic cache: %w", err)
	}
	embedder, err := c.Embedder.open(table)
	if err != nil {
		return fmt.Errorf("semcache.embedder: %w", err)
	}
	shared, sharedSeal := n.openShared(embedder.ID(), embedder.Dim())
	tier, err := semantic.Open(n.store, c.tier(), semantic.With{
		Embedder: embedder, Model: model, Native: embedder.ID() == table.ID(), Answers: n.cache, Seal: seal, Shared: shared, SharedSeal: sharedSeal, Now: now, Log: n.log,
		Tell: func(m semantic.Moved) { n.tellMoved(m) },
	})
	if err != nil {
		return err
	}
	n.semantic = &semanticCache{tier: tier, cache: n.cache}
	return nil
}

// openModel is what judges questions that are alike: fitted with the embedded table,
// whichever embedder finds them.
func openModel(table *embed.Static) (*decide.Model, error) {
	fitted, err := decide.Fitted(table.ID())
	if err != nil {
		return nil, err
	}
	return decide.NewModel(fitted, func(dst []float32, word string) bool {
		return table.Embed(context.Background(), dst, word) == nil
	})
}

// embedTimeout bounds a call of a remote embedder, in the background too.
const embedTimeout = 5 * time.Second

// open makes the embedder.
func (c *EmbedderConfig) open(table *embed.Static) (semantic.Embedder, error) {
	o := embed.RemoteOptions{URL: c.URL, Model: c.Model, Dim: c.Dimensions, AskDim: c.Shorten, Key: c.Key, Timeout: embedTimeout}
	switch c.Kind {
	case embedOpenAI:
		return embed.OpenAI(o)
	case embedOllama:
		return embed.Ollama(o)
	default:
		return table, nil
	}
}

// tellMoved raises an event when the measured error of a route moves what it serves.
func (n *Node) tellMoved(m semantic.Moved) {
	if n.alerts == nil {
		return
	}
	n.alerts.Raise("semantic_error", m.Route, map[string]string{
		"error_bound": fmt.Sprintf("%.4g", m.Delta), "level": fmt.Sprint(m.Level), "off": fmt.Sprint(m.Off),
	})
}

// semanticCache is the semantic tier as the request path sees it.
type semanticCache struct {
	tier    *semantic.Tier
	flights semcache.Flights // of questions, by their normal form
	cache   *cache
}

// Ask implements proxy.Semantic.
func (s *semanticCache) Ask(ctx context.Context, q *proxy.SemanticQuestion) proxy.SemanticFound {
	f := s.tier.Ask(ctx, questionOf(q))
	out := proxy.SemanticFound{Semantic: recordOf(&f), Key: f.Answer, Flight: f.Flight, Gone: func() { s.tier.Gone(&f) }}
	if f.Visit != nil {
		out.Visit = f.Visit
	}
	return out
}

// Learn implements proxy.Semantic.
func (s *semanticCache) Learn(l proxy.SemanticLesson) {
	s.tier.Learn(semantic.Lesson{Visit: l.Visit.(*semantic.Visit), Key: l.Key, Answer: l.Answer})
}

// Join implements proxy.Semantic.
func (s *semanticCache) Join(ctx context.Context, key [32]byte, limit time.Duration) (proxy.Flight, *proxy.Cached) {
	f, e := s.flights.Join(ctx, semcache.Key(key), limit)
	switch {
	case f != nil:
		return questionFlight{f, s.cache}, nil
	case e != nil:
		return nil, cachedOf(e, s.cache.now())
	default:
		return nil, nil
	}
}

// questionFlight is a question that others of this node may be waiting for.
type questionFlight struct {
	f *semcache.Flight
	c *cache
}

// Land implements proxy.Flight.
func (f questionFlight) Land(fill *proxy.Fill) {
	if fill == nil {
		f.f.Land(nil)
		return
	}
	f.f.Land(f.c.entryOf(fill))
}

func questionOf(q *proxy.SemanticQuestion) *semantic.Question {
	p := semantic.DefaultPolicy()
	p.Serve, p.Delta, p.Epsilon, p.TTL, p.Volatile = q.Settings.Mode == lever.SemanticServe, q.Settings.Error, q.Settings.Explore, q.Settings.TTL, q.Settings.Volatile
	p.MinChars, p.MaxChars = q.Settings.MinChars, q.Settings.MaxChars
	return &semantic.Question{
		Text: q.Text, Why: q.Why, Policy: p, Read: q.Answers.Answered,
		In: semantic.Parts{
			Tenant: q.Scope.Tenant, Holder: q.Holder, Route: q.Scope.Route, Model: q.Scope.Model, Endpoint: q.Scope.Endpoint, Rest: q.Rest, Knowledge: q.Settings.Epoch,
		},
	}
}

var semanticVerdicts = map[semantic.Verdict]record.Verdict{
	semantic.Ineligible: record.SemanticIneligible, semantic.Miss: record.SemanticMiss, semantic.Serve: record.SemanticServed,
	semantic.Would: record.SemanticWould, semantic.Explore: record.SemanticExplored,
}

func recordOf(f *semantic.Found) record.Semantic {
	r := record.Semantic{
		Verdict: semanticVerdicts[f.Verdict], Similarity: millionths(f.Similarity), Probability: millionths(f.Probability), Entry: f.Entry.Short(),
	}
	if f.Verdict == semantic.Ineligible || f.Verdict == semantic.Miss {
		r.Reason = f.Reason
	}
	if f.Verdict != semantic.Ineligible {
		r.Bound = millionths(f.Bound)
	}
	return r
}

func millionths(x float64) int64 { return int64(x*1e6 + 0.5) }

// Answer implements semantic.Answers.
func (c *cache) Answer(ctx context.Context, key [32]byte, _ ledger.Instant) ([]byte, bool) {
	if e, ok := c.Get(key, proxy.CacheAsk{}); ok {
		return e.Body, true
	}
	f, e, _ := c.Join(ctx, key, proxy.CacheAsk{})
	if f != nil {
		f.Land(nil) // nobody makes it for this
	}
	if e == nil {
		return nil, false
	}
	return e.Body, true
}

// Forget implements semantic.Answers.
func (c *cache) Forget(key [32]byte) { c.tier.Forget(semcache.Key(key)) }
