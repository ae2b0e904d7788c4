package semantic

import (
	"context"
	"slices"
	"time"

	"purser/ledger"
	"purser/semcache/decide"
	"purser/semcache/index"
)

// Question is what is asked, and what it is asked in.
type Question struct {
	Text string
	// Why says that there is no question, in the words of the dialect; "" if there is.
	Why    string
	In     Parts
	Policy Policy
	// Read gives the text of an answer in the form that it is stored in, and whether that
	// is all of it.
	Read func(answer []byte) (text string, whole bool)
}

// Verdict is what becomes of a question.
type Verdict uint8

// The verdicts.
const (
	Ineligible Verdict = iota + 1 // it is not looked up
	Miss                          // nothing near enough, or nothing trusted enough
	Serve                         // the entry's answer may be given
	Would                         // the same, but the policy only measures
	Explore                       // the same, but it is asked anew, to compare
)

// Found is what the tier says of a question.
type Found struct {
	Verdict Verdict
	// Reason is why nothing is served: "ineligible:" and why, "guard:" and which, or a
	// word of this package. Of what is served, "normal" for a question of the same normal
	// form, else "similar".
	Reason string
	// Of the nearest entry that was looked at, zero for none.
	Entry       EntryID
	Similarity  float64       // cosine
	Probability float64       // lower bound of being right
	Answer      [32]byte      // its key in the exact cache
	Age         time.Duration // of the entry
	Bound       float64       // upper bound of the error of what would be served on the route; 1 while unknown
	// Flight is whom others with the same question may wait for; nothing without Visit.
	Flight [32]byte
	// Visit is for [Tier.Learn], of a question that is eligible; else nil.
	Visit *Visit

	at *seat // to be forgotten if its answer is gone
}

// Visit is a question on its way to an answer. It is immutable once Ask has returned.
type Visit struct {
	tenant  tenantID
	name    string // of the tenant
	route   string
	scope   Scope
	id      EntryID
	text    string
	vector  []float32 // nil: it could not be had in time
	policy  Policy
	read    func([]byte) (string, bool)
	compare *compared // what a fresh answer is to be compared with; nil for nothing
}

// compared is an entry whose answer would do, or might.
type compared struct {
	id          EntryID
	answer      [32]byte
	would       bool // it would have been served
	normal      bool // without any similarity
	probability float64
}

// Reasons; see also eligible.go and the ids of guards.
const (
	reasonNormal   = "normal"
	reasonSimilar  = "similar"
	reasonEmpty    = "empty"          // the scope has no entries
	reasonFloor    = "below_floor"    // nothing is near
	reasonLow      = "low_confidence" // the bound is not met
	reasonExpired  = "expired"
	reasonApart    = "quarantined" // its answers were wrong before
	reasonRejected = "rejected"    // this pair was found to differ before
	reasonOff      = "off"         // too many errors were measured on the route
	reasonEmbedder = "embedder"    // no vector in time
	reasonGone     = "answer_gone" // the exact cache has it no more
	reasonUnread   = "unreadable"  // the entry is damaged
	reasonModel    = "no_model"    // similar questions are not judged here
)

// neighbours is how many entries are compared.
const neighbours = 5

// Candidate is one entry that was looked at, for who wants to know why.
type Candidate struct {
	Entry       EntryID
	Similarity  float64
	Shared      bool     // it was found in the shared tier
	Guards      []string // that forbid it, each with its reason
	Doubts      []string // that the model weighs
	Features    map[string]float64
	Probability float64 // estimate of being right
	Lower       float64 // its lower bound
	Reason      string  // why it is not served; "normal" or "similar" if it is
}

// Ask looks for an answer. It waits for remote embedders and the shared tier as long
// as the configuration says, and for nothing else; a fault in either is a miss.
func (t *Tier) Ask(ctx context.Context, q *Question) Found {
	l := look{t: t, q: q, now: t.now()}
	f := l.run(ctx)
	t.noteFound(&f)
	if f.Verdict == Serve && f.at != nil {
		if n := t.known(f.Visit.tenant); n != nil {
			n.used(f.at)
		}
	}
	return f
}

// Gone says that the exact cache does not have what was found: the entry goes too.
func (t *Tier) Gone(f *Found) {
	t.count.reason(reasonGone)
	if f.at == nil || f.Visit == nil {
		return
	}
	if n := t.known(f.Visit.tenant); n != nil && n.removeSeat(f.at) {
		t.eraseSeats(n.id, []*seat{f.at})
	}
}

// look is one question being looked up.
type look struct {
	t       *Tier
	q       *Question
	now     ledger.Instant
	normal  string
	asked   *decide.View
	visit   *Visit
	control control      // of the route
	trace   *[]Candidate // nil: nobody wants to know
}

func (l *look) run(ctx context.Context) Found {
	t, q := l.t, l.q
	why := q.Why
	if why == "" {
		why = ineligible(q.Text, &q.Policy)
	}
	if why != "" {
		return Found{Verdict: Ineligible, Reason: "ineligible:" + why}
	}
	l.normal = decide.Normalize(q.Text)
	v := &Visit{name: q.In.Tenant, tenant: tenantOf(q.In.Tenant), route: q.In.Route, scope: q.scope(t.embedder.ID()), text: q.Text, policy: q.Policy, read: q.Read}
	v.id = entryID(v.scope, l.normal)
	l.visit, l.control = v, t.controls.get(v.route, q.Policy.Delta)
	f := l.find(ctx)
	f.Visit, f.Flight = v, flightKey(v.tenant, v.scope, l.normal)
	f.Bound = l.control.upper
	return f
}

// find goes through this node's entries, then those that nodes share.
func (l *look) find(ctx context.Context) Found {
	t, v := l.t, l.visit
	own := t.known(v.tenant)
	best := Found{Verdict: Miss, Reason: reasonEmpty}
	if own != nil {
		if c, ok := own.find(&v.scope, &v.id); ok {
			f, done := l.same(c)
			if done {
				return f
			}
			best = f
		}
	}
	v.vector = t.embed(ctx, v.text, t.cfg.EmbedWait)
	if v.vector == nil {
		return Found{Verdict: Miss, Reason: reasonEmbedder}
	}
	if own != nil {
		row := make([]int8, len(v.vector))
		scale := index.Quantize(row, v.vector)
		list, any := own.search(&v.scope, row, scale, neighbours, float32(t.cfg.Floor))
		f, done := l.similar(list, any)
		if done {
			return f
		}
		if best.Reason == reasonEmpty {
			best = f
		}
	}
	if t.shared != nil {
		if f, done := l.elsewhere(ctx); done || best.Entry == (EntryID{}) && f.Reason != "" {
			return f
		}
	}
	return best
}

// same judges the entry of the question's own normal form, which no similarity has a
// part in. done is false where it cannot be given.
func (l *look) same(c near) (f Found, done bool) {
	f = Found{Verdict: Miss, Entry: c.id, Similarity: 1, Probability: 1, Answer: c.answer, Age: time.Duration(l.now - c.created), at: c.seat}
	f.Reason = l.unusable(&c, nil)
	if f.Reason == "" {
		f.Reason, done = reasonNormal, true
		l.propose(&f, &compared{id: c.id, answer: c.answer, normal: true, probability: 1})
	}
	l.note(Candidate{Entry: c.id, Similarity: 1, Probability: 1, Lower: 1, Reason: f.Reason})
	return f, done
}

// unusable says why an entry is not even compared; "" if it is. asked is the question,
// nil for the entry's own.
func (l *look) unusable(c *near, asked *decide.Text) string {
	switch {
	case c.expires <= l.now, l.now-c.created >= ledger.Instant(l.q.Policy.TTL): // whoever made it may have wanted it longer
		return reasonExpired
	case c.history.Quarantined():
		return reasonApart
	case asked != nil && c.history.Rejects(asked):
		return reasonRejected
	}
	return ""
}

// similar judges entries, the nearest first. What it says of the first that it could
// not give is what a miss says.
func (l *look) similar(list []near, any bool) (f Found, done bool) {
	if len(list) == 0 {
		if any {
			return Found{Verdict: Miss, Reason: reasonFloor}, false
		}
		return Found{Verdict: Miss, Reason: reasonEmpty}, false
	}
	for i := range list {
		c := &list[i]
		if c.id == l.visit.id {
			continue // it was judged
		}
		one, done := l.judge(c, margin(list, i), func() *decide.View { return l.t.prepared(l.visit.tenant, &c.scope, &c.id) }, false)
		if done {
			return one, true
		}
		if f.Reason == "" {
			f = one
		}
	}
	if f.Reason == "" {
		f = Found{Verdict: Miss, Reason: reasonFloor}
	}
	return f, false
}

// margin is how much nearer an entry is than the best other one, below zero if that is
// nearer.
func margin(list []near, i int) float64 {
	switch {
	case len(list) == 1:
		return decide.NoMargin
	case i == 0:
		return float64(list[0].similarity - list[1].similarity)
	}
	return float64(list[i].similarity - list[0].similarity)
}

// judge weighs one entry whose question is stored.
func (l *look) judge(c *near, margin float64, read func() *decide.View, shared bool) (f Found, done bool) {
	f = Found{Verdict: Miss, Entry: c.id, Similarity: float64(c.similarity), Answer: c.answer, Age: time.Duration(l.now - c.created), at: c.seat}
	seen := Candidate{Entry: c.id, Similarity: f.Similarity, Shared: shared}
	defer func() {
		seen.Reason = f.Reason
		l.note(seen)
	}()
	if l.t.model == nil {
		f.Reason = reasonModel
		return f, false
	}
	if l.asked == nil {
		l.asked = l.t.view(l.visit.text)
	}
	if f.Reason = l.unusable(c, l.asked.Text); f.Reason != "" {
		return f, false
	}
	stored := read()
	if stored == nil {
		f.Reason = reasonUnread
		return f, false
	}
	o := l.t.weigh(l.asked, stored, f.Similarity, margin, l.trace != nil)
	seen.Guards, seen.Doubts, seen.Features, seen.Probability, seen.Lower = o.guards, o.doubts, o.features, o.probability, o.lower
	if o.guard != "" {
		f.Reason = "guard:" + o.guard
		return f, false
	}
	p, lower := c.history.Adjust(o.probability, o.lower)
	f.Probability, seen.Probability, seen.Lower = lower, p, lower
	would := &compared{id: c.id, answer: c.answer, probability: lower}
	if l.control.Off {
		f.Reason = reasonOff
		return f, false
	}
	if !l.control.Serves(lower, l.q.Policy.Delta) {
		f.Reason = reasonLow
		if l.visit.compare == nil && p >= decide.Grey {
			l.visit.compare = would // the fresh answer is there anyway
		}
		return f, false
	}
	f.Reason = reasonSimilar
	l.propose(&f, would)
	return f, true
}

// propose decides what becomes of an entry that may be given.
func (l *look) propose(f *Found, c *compared) {
	c.would = true
	p := &l.q.Policy
	l.visit.compare = c
	switch {
	case !p.Serve:
		f.Verdict = Would
	case l.explores(f, c):
		f.Verdict = Explore
	default:
		f.Verdict = Serve
		l.visit.compare = nil
	}
}

// explores says whether a question is asked anew that could be answered. Of a route of
// which little was measured, that is each; it says nothing of equal normal forms.
func (l *look) explores(f *Found, c *compared) bool {
	p, u := &l.q.Policy, l.t.random()
	if c.normal {
		return u < decide.RateOf(f.Probability, p.Delta, p.Epsilon)
	}
	return l.control.Explores(f.Probability, p.Delta, p.Epsilon, u)
}

func (l *look) note(c Candidate) {
	if l.trace != nil && len(*l.trace) < neighbours {
		*l.trace = append(*l.trace, c)
	}
}

// Explain looks a question up as Ask does, and says what it saw: at most five entries.
// Nothing is counted, and nobody is to learn from it.
func (t *Tier) Explain(ctx context.Context, q *Question) (Found, Scope, []Candidate) {
	var list []Candidate
	l := look{t: t, q: q, now: t.now(), trace: &list}
	f := l.run(ctx)
	var s Scope
	if f.Visit != nil {
		s = f.Visit.scope
	}
	f.Visit = nil
	return f, s, slices.Clip(list)
}

// Bar is the lower bound of being right that an entry has to reach at present: what the
// policy says, or more where more errors than that were measured.
func (t *Tier) Bar(q *Question) float64 {
	k := t.controls.get(q.In.Route, q.Policy.Delta)
	return min(1, k.Bar(q.Policy.Delta))
}
