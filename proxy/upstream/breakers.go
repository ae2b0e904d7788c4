package upstream

import (
	"sync"
	"time"
)

// BreakerKey names what one breaker guards.
type BreakerKey struct {
	Upstream, Credential, Model string
}

// maxBreakers bounds the table: models are named by clients. 4,096 is far more
// than any deployment's credentials times models, and about 1 MiB.
const maxBreakers = 4096

// Breakers keeps a breaker for each key in use. It is safe for concurrent use;
// each breaker has its own lock and is taken with the table's held, never the other way round.
type Breakers struct {
	cfg   BreakerConfig
	limit int

	mu    sync.RWMutex
	table map[BreakerKey]*guarded
}

type guarded struct {
	mu   sync.Mutex
	b    *Breaker
	used time.Time
}

// NewBreakers makes an empty table. cfg must be valid.
func NewBreakers(cfg BreakerConfig) *Breakers {
	return &Breakers{cfg: cfg, limit: maxBreakers, table: make(map[BreakerKey]*guarded)}
}

// Pass is an admission that must be ended with Report, once.
type Pass struct {
	g *guarded
	t Ticket
}

// Allow admits an attempt, or refuses it and says how long to stay away.
func (s *Breakers) Allow(now time.Time, k BreakerKey) (Pass, time.Duration, bool) {
	g := s.get(now, k)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.used = now
	t, wait, ok := g.b.Allow(now)
	return Pass{g: g, t: t}, wait, ok
}

// Report tells how the attempt ended.
func (p Pass) Report(now time.Time, r Result) {
	p.g.mu.Lock()
	defer p.g.mu.Unlock()
	p.g.b.Report(now, p.t, r)
}

// State is that of one breaker. One that is not in use is closed.
func (s *Breakers) State(now time.Time, k BreakerKey) State {
	s.mu.RLock()
	g := s.table[k]
	s.mu.RUnlock()
	if g == nil {
		return Closed
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.b.State(now)
}

// Each calls f with the state of every breaker, in no order, for metrics and the admin API.
func (s *Breakers) Each(now time.Time, f func(BreakerKey, State)) {
	s.mu.RLock()
	all := make(map[BreakerKey]*guarded, len(s.table))
	for k, g := range s.table {
		all[k] = g
	}
	s.mu.RUnlock()
	for k, g := range all {
		g.mu.Lock()
		state := g.b.State(now)
		g.mu.Unlock()
		f(k, state)
	}
}

func (s *Breakers) get(now time.Time, k BreakerKey) *guarded {
	s.mu.RLock()
	g := s.table[k]
	s.mu.RUnlock()
	if g != nil {
		return g
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.table[k]; g != nil {
		return g
	}
	if len(s.table) >= s.limit {
		s.forgetLocked()
	}
	g = &guarded{b: NewBreaker(s.cfg), used: now}
	s.table[k] = g
	return g
}

// forgetLocked makes room by dropping a sample's longest unused breaker: a
// dropped one starts again closed, which costs a few failed attempts at worst.
func (s *Breakers) forgetLocked() {
	const sample = 16
	var (
		oldest BreakerKey
		when   time.Time
		n      int
	)
	for k, g := range s.table {
		g.mu.Lock()
		used := g.used
		g.mu.Unlock()
		if n == 0 || used.Before(when) {
			oldest, when = k, used
		}
		if n++; n == sample {
			break
		}
	}
	delete(s.table, oldest)
}
