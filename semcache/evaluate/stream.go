package evaluate

import (
	"fmt"
	"math"
	"math/rand/v2"

	"purser/semcache/decide"
	"purser/semcache/index"
	"purser/semcache/labelled"
)

// Settings of the streams.
const (
	neighbours  = 24 // of a text among all texts: its candidates are those that are stored by then
	exploreRate = 0.03
	greyZone    = 0.5 // a miss whose best candidate is likelier than this is compared, too
	seeds       = 5
	zipfLength  = 20_000
	zipfSkew    = 1.05
)

// Deltas are the allowed errors that streams run with.
var Deltas = []float64{0.01, 0.02, 0.03, 0.05}

// world is all texts of the pairs, and who is near whom.
type world struct {
	bench   *Bench
	classes *labelled.Classes
	views   []*decide.View
	near    [][]index.Hit
	judged  map[[2]int32]decide.Decision // without margin: its ensemble's part
}

func (b *Bench) world(pairs []labelled.Pair) *world {
	w := &world{bench: b, classes: labelled.NewClasses(pairs), judged: map[[2]int32]decide.Decision{}}
	rows := index.New(b.table.Dim())
	for i, text := range w.classes.Texts {
		v := b.view(text)
		w.views = append(w.views, v)
		if v.Sentence() != nil {
			b.add(rows, i, v)
		}
	}
	q := make([]int8, b.table.Dim())
	for _, v := range w.views {
		var hits []index.Hit
		if v.Sentence() != nil {
			hits = rows.Search(q, index.Quantize(q, v.Sentence()), neighbours, recall)
		}
		w.near = append(w.near, hits)
	}
	return w
}

// tally counts what became of the requests of a stream.
type tally struct {
	requests, repeats      int // a repeat has an earlier request of its class
	exact, normal          int // answered by the text itself, or by its normal form
	hits                   int // semantic ones
	right, wrong, unjudged int // of hits: what the labels say
	explored               int
}

func (t *tally) add(u tally) {
	t.requests += u.requests
	t.repeats += u.repeats
	t.exact += u.exact
	t.normal += u.normal
	t.hits += u.hits
	t.right += u.right
	t.wrong += u.wrong
	t.unjudged += u.unjudged
	t.explored += u.explored
}

func (t *tally) hit(j labelled.Judgement) {
	t.hits++
	switch j {
	case labelled.Right:
		t.right++
	case labelled.Wrong:
		t.wrong++
	case labelled.Unlabelled:
		t.unjudged++
	}
}

// policy answers one request: it says which stored text's answer it serves, or -1 for
// a fresh answer; fresh learns what the labels say of what it might have served.
type policy interface {
	serve(w *world, asked int, stored []bool) (hit int, explored bool)
}

// run sends texts in order. What a policy does not serve is answered fresh, and stored.
func (w *world) run(order []int, p policy) tally {
	var t tally
	stored := make([]bool, len(w.views))
	normal := map[string]bool{}
	class := map[int]bool{}
	for _, i := range order {
		t.requests++
		if c := w.classes.Class(i); class[c] {
			t.repeats++
		} else {
			class[c] = true
		}
		switch {
		case stored[i]:
			t.exact++
			continue
		case normal[w.views[i].Text.Normal]:
			t.normal++
			continue
		}
		hit, explored := p.serve(w, i, stored)
		if explored {
			t.explored++
		}
		if hit >= 0 {
			t.hit(w.classes.Judge(i, hit))
			continue
		}
		stored[i] = true
		normal[w.views[i].Text.Normal] = true
	}
	return t
}

// ours is the decision as a node makes it.
type ours struct {
	delta      float64
	controller decide.Controller
	history    map[int]decide.History
	r          *rand.Rand
}

func (o *ours) serve(w *world, asked int, stored []bool) (int, bool) {
	var hits []index.Hit
	for _, h := range w.near[asked] {
		if int(h.ID) != asked && stored[h.ID] {
			if hits = append(hits, h); len(hits) == nearest {
				break
			}
		}
	}
	best, p, lower := -1, 0.0, 0.0
	for k, h := range hits {
		past := o.history[int(h.ID)]
		if past.Quarantined() || past.Rejects(w.views[asked].Text) {
			continue
		}
		d := w.judge(asked, int(h.ID))
		if d.Verdict.Vetoed() || math.IsInf(d.Score, -1) {
			continue
		}
		hp, hl := w.bench.model.Probability(&d.Features, marginOf(hits, k))
		hp, hl = past.Adjust(hp, hl)
		if serves := o.controller.Serves(hl, o.delta); serves || best < 0 {
			best, p, lower = int(h.ID), hp, hl
			if serves {
				break
			}
		}
	}
	if best < 0 {
		return -1, false
	}
	would := o.controller.Serves(lower, o.delta)
	if would && !o.controller.Explores(o.delta, exploreRate, o.r.Float64()) {
		return best, false
	}
	if !would && p < greyZone {
		return -1, false
	}
	// A fresh answer is there to compare with. What nobody labelled teaches nothing.
	label := decide.Undecided
	switch w.classes.Judge(asked, best) {
	case labelled.Right:
		label = decide.Agrees
	case labelled.Wrong:
		label = decide.Disagrees
	case labelled.Unlabelled:
		return -1, would
	}
	o.history[best] = o.history[best].Observe(w.views[asked].Text, label)
	if would {
		o.controller, _ = o.controller.Observe(label, o.delta)
	}
	return -1, would
}

// judge remembers decisions: orders repeat them, and the margin is not in them.
func (w *world) judge(asked, stored int) decide.Decision {
	key := [2]int32{int32(asked), int32(stored)}
	d, ok := w.judged[key]
	if !ok {
		d = w.bench.model.Judge(w.views[asked], w.views[stored], similar(w.views[asked], w.views[stored]), decide.NoMargin)
		w.judged[key] = d
	}
	return d
}

// Streams sends every text once in random order, and a stream in which classes of two
// texts or more come as often as Zipf's law says, past the decision and past vCache's.
func (b *Bench) Streams(pairs []labelled.Pair) []Result {
	w := b.world(pairs)
	var out []Result
	for _, kind := range []string{"stream", "zipf"} {
		for _, delta := range Deltas {
			var mine, theirs tally
			for seed := range uint64(seeds) {
				order := w.order(kind, seed)
				mine.add(w.run(order, &ours{delta: delta, history: map[int]decide.History{}, r: rand.New(rand.NewPCG(seed, 1))}))
				theirs.add(w.run(order, newVCache(delta, rand.New(rand.NewPCG(seed, 1)))))
			}
			out = append(out, w.compare(kind, delta, mine, theirs)...)
		}
	}
	return out
}

func (w *world) order(kind string, seed uint64) []int {
	r := rand.New(rand.NewPCG(seed, 99))
	if kind == "stream" {
		return r.Perm(len(w.views))
	}
	members := map[int][]int{}
	var classes []int
	for i := range w.views {
		c := w.classes.Class(i)
		if members[c] = append(members[c], i); len(members[c]) == 2 {
			classes = append(classes, c) // one that has paraphrases
		}
	}
	r.Shuffle(len(classes), func(i, j int) { classes[i], classes[j] = classes[j], classes[i] })
	z := rand.NewZipf(r, zipfSkew, 1, uint64(len(classes)-1))
	order := make([]int, zipfLength)
	for i := range order {
		m := members[classes[z.Uint64()]]
		order[i] = m[r.IntN(len(m))]
	}
	return order
}

// compare makes the figures of the runs. Runs of other seeds see the same labels, so an
// interval is that of one run: counts are divided by the runs.
func (w *world) compare(kind string, delta float64, mine, theirs tally) []Result {
	figure := func(what string) string { return fmt.Sprintf("delta %.2f: %s", delta, what) }
	one := func(n int) int { return int(math.Round(float64(n) / seeds)) }
	e := shareOf(kind, figure("error of labelled hits"), one(mine.wrong), one(mine.right+mine.wrong))
	if n := mine.right + mine.wrong; n > 0 {
		e.Value = float64(mine.wrong) / float64(n)
	}
	e.Goal, e.Met = fmt.Sprintf("high <= %.2f", delta), e.N > 0 && e.High <= delta
	upper := shareOf(kind, figure("error, unlabelled counted as wrong"), one(mine.wrong+mine.unjudged), one(mine.hits))
	base := shareOf(kind, figure("vCache: error of labelled hits"), one(theirs.wrong), one(theirs.right+theirs.wrong))
	share := shareOf(kind, figure("hits of possible repeats"), one(mine.hits), one(mine.repeats-mine.exact-mine.normal))
	share.Note = fmt.Sprintf("%d hits; by normal form %d; explored %d", one(mine.hits), one(mine.normal), one(mine.explored))
	times := Result{Protocol: kind, Figure: figure("right hits, times vCache's"), N: one(theirs.hits), Goal: ">= 3", Note: fmt.Sprintf("right: %d against %d", one(mine.right), one(theirs.right))}
	times.Value = float64(mine.right) / float64(max(theirs.right, 1))
	times.Low, times.High = times.Value, times.Value
	times.Met = times.Value >= 3 && e.Met
	return []Result{e, upper, share, base, times}
}
