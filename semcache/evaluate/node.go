package evaluate

import (
	"math"
	"math/rand/v2"

	"purser/semcache/decide"
	"purser/semcache/index"
	"purser/semcache/labelled"
)

// node is what a node does with a question on a route that serves from the beginning
// (semcache/semantic): the entry of the same normal form, then the nearest five; the bar
// that labels have earned; exploration; the history of entries. The judge of answers is
// the labels: what nobody labelled it cannot tell, or finds not the same if it is harsh.
type node struct {
	delta    float64
	harsh    bool
	measured decide.Measured
	history  map[int]decide.History
	normal   map[string]int // the entry of a normal form
	r        *rand.Rand
}

func newNode(delta float64, harsh bool, r *rand.Rand) *node {
	return &node{delta: delta, harsh: harsh, history: map[int]decide.History{}, normal: map[string]int{}, r: r}
}

// found is the entry that a fresh answer would be compared with.
type found struct {
	id     int // -1: none
	lower  float64
	would  bool // it may be served
	normal bool
}

func (n *node) serve(w *world, asked int, stored []bool) served {
	f := n.find(w, asked, stored)
	if f.would && !n.explores(&f) {
		return served{hit: f.id, instead: -1}
	}
	s := served{hit: -1, explored: f.would, instead: -1}
	if f.id >= 0 {
		s.known = n.learn(w, asked, &f) == decide.Agrees && f.would
	}
	if !s.known {
		normal := w.normal(asked)
		if old, ok := n.normal[normal]; ok {
			s.instead = old
		}
		n.normal[normal] = asked
		delete(n.history, asked)
	}
	return s
}

func (n *node) explores(f *found) bool {
	u := n.r.Float64()
	if f.normal {
		return u < decide.RateOf(f.lower, n.delta, exploreRate)
	}
	return n.measured.Explores(f.lower, n.delta, exploreRate, u)
}

// find is the first entry that may be served, else the first that a fresh answer is
// worth comparing with.
func (n *node) find(w *world, asked int, stored []bool) found {
	own, ok := n.normal[w.normal(asked)]
	if !ok {
		own = -1
	} else if !n.history[own].Quarantined() {
		return found{id: own, lower: 1, would: true, normal: true}
	}
	best := found{id: -1}
	hits := w.nearest(asked, stored)
	for k, h := range hits {
		id := int(h.ID)
		past := n.history[id]
		if id == own || past.Quarantined() || past.Rejects(w.views[asked].Text) {
			continue
		}
		d := w.judge(asked, id)
		if d.Verdict.Vetoed() || math.IsInf(d.Score, -1) {
			continue
		}
		p, lower := w.bench.model.Probability(&d.Features, marginOf(hits, k))
		p, lower = past.Adjust(p, lower)
		switch {
		case n.measured.Off:
		case n.measured.Serves(lower, n.delta):
			return found{id: id, lower: lower, would: true}
		case best.id < 0 && p >= decide.Grey:
			best = found{id: id, lower: lower}
		}
	}
	return best
}

// nearest is the entries that a lookup compares.
func (w *world) nearest(asked int, stored []bool) (hits []index.Hit) {
	for _, h := range w.near[asked] {
		if int(h.ID) != asked && stored[h.ID] {
			if hits = append(hits, h); len(hits) == nearest {
				break
			}
		}
	}
	return hits
}

// learn compares the answer of an entry with the fresh one.
func (n *node) learn(w *world, asked int, f *found) decide.Label {
	label := decide.Undecided
	switch j := w.classes.Judge(asked, f.id); {
	case j == labelled.Right:
		label = decide.Agrees
	case j == labelled.Wrong || n.harsh:
		label = decide.Disagrees
	}
	n.history[f.id] = n.history[f.id].Observe(w.views[asked].Text, label)
	if !f.normal {
		n.measured, _ = n.measured.Observe(label, f.lower, n.delta, f.would)
	}
	return label
}
