package semantic

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"purser/semcache/decide"
)

// counted is what is counted beside verdicts and reasons.
type counted uint8

const (
	countInserted counted = iota
	countEvicted
	countExpired
	countDamaged
	countOtherSpace
	countFault
	countLost
	countNotWhole
	countRefusal
	countOverRate
	countQuarantined
	countEmbedFault
	countEmbedResting
	countSharedFault
	countSharedFound
	counts
)

var countNames = [counts]string{
	countInserted: "inserted", countEvicted: "evicted", countExpired: "expired", countDamaged: "damaged", countOtherSpace: "other_embedder", countFault: "storage_faults",
	countLost: "lessons_lost", countNotWhole: "answers_not_whole", countRefusal: "answers_refusals", countOverRate: "over_insert_rate", countQuarantined: "quarantined",
	countEmbedFault: "embedder_faults", countEmbedResting: "embedder_resting", countSharedFault: "shared_faults", countSharedFound: "shared_found",
}

// counters are counts since the start.
type counters struct {
	of       [counts]atomic.Uint64
	verdicts [Explore + 1]atomic.Uint64
	labels   [decide.Disagrees + 1]atomic.Uint64

	mu      sync.Mutex
	reasons map[string]uint64
}

// maxReasons bounds the reasons that are told apart: they are words of this package, of
// the dialects, and guards.
const maxReasons = 128

func (c *counters) add(n counted)            { c.of[n].Add(1) }
func (c *counters) addN(n counted, many int) { c.of[n].Add(uint64(many)) }
func (c *counters) label(l decide.Label)     { c.labels[l].Add(1) }

func (c *counters) reason(r string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reasons == nil {
		c.reasons = map[string]uint64{}
	}
	if _, known := c.reasons[r]; known || len(c.reasons) < maxReasons {
		c.reasons[r]++
	}
}

func (t *Tier) noteFound(f *Found) {
	t.count.verdicts[f.Verdict].Add(1)
	t.count.reason(f.Reason)
	if f.Verdict != Ineligible {
		t.curve.look(f.Probability)
	}
}

// curve counts lookups and labels by the lower bound that the best entry had.
type curve struct {
	mu                sync.Mutex
	looked, good, bad [len(decide.Grid)]uint64
}

func (c *curve) look(p float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looked[decide.Cell(p)]++
}

func (c *curve) label(p float64, good bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if good {
		c.good[decide.Cell(p)]++
	} else {
		c.bad[decide.Cell(p)]++
	}
}

// Point of the curve of precision against the ratio of hits: what would be served if
// everything from a lower bound on were.
type CurvePoint struct {
	From      float64 // lower bound of being right
	HitRatio  float64 // of eligible lookups
	Precision float64 // of those that were compared; 0 without any
	Labels    uint64
}

func (c *curve) points() []CurvePoint {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all uint64
	for _, n := range c.looked {
		all += n
	}
	var out []CurvePoint
	var looked, good, bad uint64
	for i := len(decide.Grid) - 1; i > 0; i-- {
		looked, good, bad = looked+c.looked[i], good+c.good[i], bad+c.bad[i]
		p := CurvePoint{From: decide.Grid[i], Labels: good + bad}
		if all > 0 {
			p.HitRatio = float64(looked) / float64(all)
		}
		if p.Labels > 0 {
			p.Precision = float64(good) / float64(p.Labels)
		}
		out = append(out, p)
	}
	return out
}

// RouteStats is what was measured of a route at one bound of error.
type RouteStats struct {
	Route     string
	Delta     float64 // that may be wrong
	Bar       float64 // lower bound of being right that entries have to reach at present
	Level     int
	Off       bool   // nothing similar is served
	Labels    uint64 // answers made anew and compared, since the level changed
	Wrong     uint64
	Undecided uint64  // comparisons that could not tell
	Lower     float64 // bounds of the error, one-sided 95 % each
	Upper     float64
}

// Stats are counts since the start, and what there is.
type Stats struct {
	Embedder string
	Shared   bool
	Entries  int64
	Tenants  int
	Scopes   int
	Verdicts map[string]uint64
	Reasons  map[string]uint64
	Counts   map[string]uint64
	Labels   map[string]uint64
	Routes   []RouteStats
	Curve    []CurvePoint
}

var verdictNames = [Explore + 1]string{Ineligible: "ineligible", Miss: "miss", Serve: "served", Would: "would", Explore: "explored"}

// String names the verdict as usage records do.
func (v Verdict) String() string { return verdictNames[v] }

// Stats returns the counts.
func (t *Tier) Stats() Stats {
	s := Stats{
		Embedder: t.embedder.ID(), Shared: t.shared != nil, Entries: t.rows.Load(), Verdicts: map[string]uint64{}, Counts: map[string]uint64{}, Labels: map[string]uint64{}, Curve: t.curve.points(),
	}
	for v := Ineligible; v <= Explore; v++ {
		s.Verdicts[v.String()] = t.count.verdicts[v].Load()
	}
	for n := range counts {
		s.Counts[countNames[n]] = t.count.of[n].Load()
	}
	for l := decide.Undecided; l <= decide.Disagrees; l++ {
		s.Labels[l.String()] = t.count.labels[l].Load()
	}
	t.count.mu.Lock()
	s.Reasons = maps.Clone(t.count.reasons)
	t.count.mu.Unlock()
	for _, n := range t.all() {
		n.mu.RLock()
		if n.order.Len() > 0 {
			s.Tenants++
			s.Scopes += len(n.scopes)
		}
		n.mu.RUnlock()
	}
	for _, k := range t.controls.list() {
		s.Routes = append(s.Routes, RouteStats{
			Route: k.route, Delta: k.delta, Bar: min(1, k.Bar(k.delta)), Level: int(k.Level), Off: k.Off,
			Labels: uint64(k.All), Wrong: uint64(k.Bad), Undecided: k.unsure, Lower: k.lower, Upper: k.upper,
		})
	}
	return s
}

// Reasons lists the reasons that were met, in order.
func (s *Stats) ReasonNames() []string { return slices.Sorted(maps.Keys(s.Reasons)) }
