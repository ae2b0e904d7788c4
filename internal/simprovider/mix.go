package simprovider

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// mix draws a plan for each call by probability. The n-th call to ask gets the
// n-th draw of the seed, so that over a run the shares come out alike; which
// call is the n-th is up to the scheduler.
type mix struct {
	seed  uint64
	draws atomic.Uint64
	upTo  []float64 // cumulative shares
	plans []*Plan
}

func newMix(weighted []Weighted, seed uint64) (*mix, error) {
	m := &mix{seed: seed}
	sum := 0.0
	for _, w := range weighted {
		plan, err := ParsePlan(w.Plan)
		if err != nil {
			return nil, fmt.Errorf("mix: %w", err)
		}
		if !(w.Share >= 0 && w.Share <= 1) { // nor not a number
			return nil, fmt.Errorf("mix: share %v of %q is not within 0 and 1", w.Share, w.Plan)
		}
		sum += w.Share
		m.upTo, m.plans = append(m.upTo, sum), append(m.plans, plan)
	}
	if sum > 1+1e-9 {
		return nil, fmt.Errorf("mix: shares sum to %v, more than 1", sum)
	}
	return m, nil
}

// ParseMix reads a mix as text: "429=1s:0.05,no-usage+close:0.01". "" is none.
func ParseMix(text string) ([]Weighted, error) {
	var out []Weighted
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' }) {
		plan, share, _ := strings.Cut(strings.TrimSpace(part), ":")
		n, err := strconv.ParseFloat(share, 64)
		if err != nil {
			return nil, fmt.Errorf("mix: share %q of %q is not a number", share, plan)
		}
		out = append(out, Weighted{Plan: plan, Share: n})
	}
	_, err := newMix(out, 0)
	return out, err
}

func (m *mix) draw() *Plan {
	if len(m.plans) == 0 {
		return &wellBehaved
	}
	drawn := stream(m.seed + m.draws.Add(1)*0x9e3779b97f4a7c15)
	x := float64(drawn.next()>>11) / (1 << 53)
	for i, limit := range m.upTo {
		if x < limit {
			return m.plans[i]
		}
	}
	return &wellBehaved
}

// forced is a plan set from outside, for all calls or the next few.
type forced struct {
	mu   sync.Mutex
	plan *Plan
	left int // calls it still holds for; -1 for all
	on   atomic.Bool
}

func (f *forced) set(p *Plan, count int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plan, f.left = p, count
	if count <= 0 {
		f.left = -1
	}
	f.on.Store(p != nil)
}

// take returns the plan for one call, nil when none is set.
func (f *forced) take() *Plan {
	if !f.on.Load() {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	plan := f.plan
	if f.left > 0 {
		if f.left--; f.left == 0 {
			f.plan = nil
			f.on.Store(false)
		}
	}
	return plan
}
