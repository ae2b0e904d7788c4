package proxy

import (
	"context"
	"fmt"
	"time"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/dialect"
	"purser/proxy/lever"
)

// Semantic finds answers to questions that were asked in other words. A fault in it
// is a miss.
type Semantic interface {
	// Ask looks a question up. It may wait a little for what is not on this node.
	Ask(context.Context, *SemanticQuestion) SemanticFound
	// Learn is told what an eligible question was answered. It does not wait.
	Learn(SemanticLesson)
	// Join makes the caller the leader of those of this node that ask the same question
	// (a Flight, which it must end), or waits for the present leader's answer, at most
	// for the limit. Both nil: go on alone.
	Join(ctx context.Context, flight [32]byte, since int64, limit time.Duration) (Flight, *Cached)
}

// SemanticQuestion is a request as the semantic cache sees it.
type SemanticQuestion struct {
	Text string
	Why  string // there is no question, in the words of the dialect; "" if there is
	// What it is asked in: whose answers may be given to whom, where the call would go,
	// and the canonical form of all of it but the text.
	Scope    CacheScope
	Holder   string // who shares answers with nobody of the tenant's, "" for none
	Rest     []byte // not kept
	Settings *lever.Semantic
	Answers  dialect.Questions
}

// SemanticFound is what the semantic cache says of it.
type SemanticFound struct {
	record.Semantic
	Key    [32]byte // of the answer in the exact cache, where it may be given
	Visit  any      // for Learn; nil where nothing is to be learned
	Flight [32]byte // whom others with the same question wait for, where there is a Visit
	Gone   func()   // to be told that the exact cache does not have the answer
}

// SemanticLesson is an answer that was made for a question, and is kept under Key.
type SemanticLesson struct {
	Visit  any
	Key    [32]byte
	Answer []byte // not written any more
}

// semantic answers from the answer to a question that means the same; nil means that
// there is none. The exact cache was asked before.
func (x *exchange) semantic(ctx context.Context, ask CacheAsk) *Answer {
	if x.g.seams.Semantic == nil || x.levers.Semantic.Mode == lever.SemanticOff {
		return nil
	}
	q := x.semanticQuestion()
	found := x.g.seams.Semantic.Ask(ctx, &q)
	x.rec.Semantic, x.asking = found.Semantic, found.Visit
	if found.Verdict != record.SemanticServed {
		return x.joinAlike(ctx, &found, ask)
	}
	c := x.answerOf(ctx, found.Key, ask)
	if c == nil {
		reason := "answer_gone"
		switch {
		case ctx.Err() != nil: // it was not waited for
		case ask.Created > 0:
			reason = "too_old" // for this request; others may take it
		default:
			found.Gone()
		}
		x.rec.Semantic.Verdict, x.rec.Semantic.Reason = record.SemanticMiss, reason
		return x.joinAlike(ctx, &found, ask)
	}
	x.delay(ctx)
	own := x.cacheKey
	x.cacheKey = found.Key // by which the answer can be purged
	a := x.replay(c, record.CacheSemantic)
	if a == nil {
		x.cacheKey = own // by which the answer is kept that this request makes
		x.rec.Semantic.Verdict, x.rec.Semantic.Reason = record.SemanticMiss, "not_replayed"
		return nil
	}
	if x.tracesCache() && !x.hidesCache() {
		a.setHeader(headerCache, "semantic")
		a.Header = append(a.Header,
			HeaderField{headerSimilarity, fmt.Sprintf("%.4f", float64(found.Similarity)/1e6)},
			HeaderField{headerEntry, fmt.Sprintf("%016x", found.Entry)})
	}
	return a
}

// answerOf takes the answer of an entry from the exact cache, of this node or another;
// nil if there is none that the request takes.
func (x *exchange) answerOf(ctx context.Context, key [32]byte, ask CacheAsk) *Cached {
	ask.Stale, ask.Wait = false, 0
	if c, ok := x.g.seams.Cache.Get(key, ask); ok {
		return c
	}
	flight, c, _ := x.g.seams.Cache.Join(ctx, key, ask)
	if flight != nil {
		flight.Abandon() // this request makes another answer
	}
	return c
}

// joinAlike waits for whoever asks the provider the same question now, in other words;
// nil means that nobody does, or that it did not help.
func (x *exchange) joinAlike(ctx context.Context, found *SemanticFound, ask CacheAsk) *Answer {
	if found.Visit == nil || x.levers.Semantic.Mode != lever.SemanticServe || ask.Wait <= 0 {
		return nil
	}
	flight, c := x.g.seams.Semantic.Join(ctx, found.Flight, ask.Since, ask.Wait)
	if x.alike = flight; c != nil {
		return x.replay(c, record.CacheShared)
	}
	return nil
}

// Headers of semantic hits, for keys that may trace the caches: to others a hit looks
// as one of the exact cache does, so that nobody can feel their way to what others of
// the tenant's have asked.
const (
	headerSimilarity = headerPrefix + "semantic-similarity"
	headerEntry      = headerPrefix + "semantic-entry"
)

// tracesCache says whether the key may see how the caches decide.
func (x *exchange) tracesCache() bool { return x.key.Barred&TraceCache == 0 }

// semanticQuestion is the request as the semantic cache sees it.
func (x *exchange) semanticQuestion() SemanticQuestion {
	call, s := x.asked(), x.levers.Semantic
	q := SemanticQuestion{Scope: x.cacheScope(), Settings: s, Answers: x.wire()}
	found, why := x.wire().Question(call)
	if q.Why = why; why != "" {
		return q
	}
	var shared bool
	if q.Holder, shared = x.holder(s.Isolation); !shared {
		q.Why = "holder"
		return q
	}
	// The canonical form of the call without its question: what is left is compared byte
	// for byte, earlier messages too.
	rest := *call
	rest.Raw = make([]byte, 0, len(call.Raw)-(found.Span.End-found.Span.Start))
	rest.Raw = append(append(rest.Raw, call.Raw[:found.Span.Start]...), call.Raw[found.Span.End:]...)
	var err error
	if q.Rest, err = x.canonical(nil, &rest); err != nil {
		q.Why = "form"
		return q
	}
	q.Text = found.Text
	return q
}

// holder is who of the tenant's shares answers with nobody else; ok is false where the
// settings want one, and the request has none.
func (x *exchange) holder(isolation string) (holder string, ok bool) {
	value := ""
	switch isolation {
	case lever.PerTenant:
		return "", true
	case lever.PerKey:
		value = x.key.ID
	case lever.PerMember:
		value = x.rec.Dims.Values[ledger.DimMember]
	case lever.PerCustomer:
		value = x.rec.Dims.Values[ledger.DimCustomer]
	}
	return isolation + ":" + value, value != ""
}

// delay makes an answer take as long as the settings want at least, so that its time
// tells less.
func (x *exchange) delay(ctx context.Context) {
	left := x.levers.Semantic.MinDelay - time.Since(x.began)
	if left <= 0 {
		return
	}
	wait := time.NewTimer(left)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	}
}

// tellSemantic tells the semantic cache what the question was answered, if that is kept.
func (x *exchange) tellSemantic() {
	if x.asking != nil && x.fill != nil {
		x.g.seams.Semantic.Learn(SemanticLesson{Visit: x.asking, Key: x.fill.Key, Answer: x.fill.Answer.Body})
	}
}

// SemanticTrace is what a request would find in the semantic cache.
type SemanticTrace interface {
	// Explain is Ask for who wants to know why: nothing is counted, and nothing learned.
	// What it returns is written as JSON.
	Explain(context.Context, *SemanticQuestion) any
}

// ExplainSemantic says what the semantic cache makes of a request that the holder of
// key would send now. It goes the way of a request up to the caches: nothing is held,
// recorded, stored or sent to a provider. An error is an answer that the request would
// have had before.
func (g *Gateway) ExplainSemantic(ctx context.Context, r *Request, key *Principal, in SemanticTrace) (any, error) {
	x := g.begin(r)
	defer x.leave()
	if a := x.builtin(); a != nil {
		return nil, fmt.Errorf("the request does not reach the caches: it is answered with %d", a.Status)
	}
	if x.endpoint.models || x.endpoint.own != ownNothing {
		return nil, fmt.Errorf("the caches are not asked about lists of models, nor about what is asked of a key itself")
	}
	x.key = key
	x.rec.Dims.Values[ledger.DimKey] = key.ID
	for _, stage := range [...]func() *dialect.Error{x.permit, x.fixRules, x.decode, x.attribute, x.route, x.redact, x.translate, x.terms, x.judge} {
		if e := stage(); e != nil {
			return nil, fmt.Errorf("the request does not reach the caches: %w", e)
		}
	}
	if !x.store || x.levers.Cache.Off {
		return nil, fmt.Errorf("the request goes past the caches: the key, a header or the levers turn them off")
	}
	if ok, why := x.wire().Cacheable(x.asked()); !ok {
		return nil, fmt.Errorf("the request goes past the caches: it %s", why)
	}
	q := x.semanticQuestion()
	return in.Explain(ctx, &q), nil
}
