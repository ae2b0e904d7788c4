package semantic

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"purser/internal/store"
	"purser/ledger"
	"purser/semcache/decide"
)

// Config bounds the tier.
type Config struct {
	// Entries bounds the questions of all tenants. Default 100,000, 1 to 1,000,000: each
	// takes some 600 bytes of memory, and some 700 on disk.
	Entries int
	// TenantEntries and ScopeEntries bound those of one tenant and of one scope. Default
	// 50,000 and 20,000, 1 to Entries.
	TenantEntries, ScopeEntries int
	// Inserts is how many questions a tenant may add in a minute. Default 600, 1 to
	// 1,000,000.
	Inserts int
	// EmbedWait is how long a request waits for its vector. Default 50 ms, 1 ms to 10 s;
	// the embedded table needs some 40 µs.
	EmbedWait time.Duration
	// SharedWait is how long it waits for the shared tier. Default 50 ms, 1 ms to 10 s.
	SharedWait time.Duration
	// Queue bounds the answers that wait to be learned from, Workers who learns at once.
	// Default 1024 and 2, 1 to 65,536 and 1 to 64.
	Queue, Workers int
	// Texts bounds the questions that are held ready for comparing. Default 2048, 2 to
	// 1,000,000: some 10 kB each.
	Texts int
	// Floor is the similarity below which questions are not compared. Default 0.55, 0 to 1.
	Floor float64
}

// DefaultConfig is what [Config.Validate] accepts as it is.
func DefaultConfig() Config {
	return Config{
		Entries: 100_000, TenantEntries: 50_000, ScopeEntries: 20_000, Inserts: 600, EmbedWait: 50 * time.Millisecond, SharedWait: 50 * time.Millisecond,
		Queue: 1024, Workers: 2, Texts: 2048, Floor: 0.55,
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
	in("entries", int64(c.Entries), 1, 1_000_000)
	in("tenant_entries", int64(c.TenantEntries), 1, int64(c.Entries))
	in("scope_entries", int64(c.ScopeEntries), 1, int64(c.Entries))
	in("inserts_per_minute", int64(c.Inserts), 1, 1_000_000)
	in("queue", int64(c.Queue), 1, 1<<16)
	in("workers", int64(c.Workers), 1, 64)
	in("texts", int64(c.Texts), 2, 1_000_000)
	span := func(name string, v time.Duration) {
		if v < time.Millisecond || v > 10*time.Second {
			errs = append(errs, fmt.Errorf("%s is %v, not within 1ms to 10s", name, v))
		}
	}
	span("embed_wait", c.EmbedWait)
	span("shared_wait", c.SharedWait)
	if !(c.Floor >= 0 && c.Floor <= 1) {
		errs = append(errs, fmt.Errorf("floor is %v, not within 0 to 1", c.Floor))
	}
	return errors.Join(errs...)
}

// With is what a tier works with.
type With struct {
	Embedder Embedder
	Model    *decide.Model // nil: only questions of the same normal form are served
	Native   bool          // the model was fitted with the embedder's vectors
	Answers  Answers
	Seal     Sealer // nil: what is stored is not sealed
	Shared   Shared // nil: there is none
	// SharedSeal seals what the shared tier keeps, with a key that all nodes have. Without
	// one, the shared tier is not used.
	SharedSeal Sealer
	Now        func() ledger.Instant
	Random     func() float64 // 0 to 1; nil: rand.Float64
	Tell       func(Moved)    // hears when what a route serves changes; does not wait. nil: nobody does
	Log        *slog.Logger
}

// Tier is the semantic tier of one node. [Open] makes one. Its methods are safe for
// concurrent use.
type Tier struct {
	cfg      Config
	store    *store.Store
	embedder Embedder
	model    *decide.Model
	native   bool
	space    spaceID
	answers  Answers
	seal     Sealer
	shared   Shared
	sealed   Sealer // of what is shared
	now      func() ledger.Instant
	random   func() float64
	tell     func(Moved)
	log      *slog.Logger

	mu      sync.RWMutex
	tenants map[tenantID]*tenancy // those that ever had an entry: no more than keys
	rows    atomic.Int64          // of all tenancies

	texts    texts
	controls controls
	count    counters
	curve    curve
	pause    pause // of the embedder

	work    chan func()
	waiting atomic.Int64   // bytes of answers in work
	busy    sync.WaitGroup // what was queued and is not done
	stop    chan struct{}
	ended   sync.WaitGroup
}

// Open reads what is stored and starts the work in the background. The tier must be
// closed before the store is.
func Open(s *store.Store, cfg Config, w With) (*Tier, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("semantic cache: %w", err)
	}
	t := &Tier{
		cfg: cfg, store: s, embedder: w.Embedder, model: w.Model, native: w.Native, space: spaceOf(w.Embedder.ID()), answers: w.Answers, seal: w.Seal,
		sealed: w.SharedSeal, now: w.Now, random: w.Random, tell: w.Tell, log: w.Log,
		tenants: map[tenantID]*tenancy{}, work: make(chan func(), cfg.Queue), stop: make(chan struct{}),
	}
	if w.SharedSeal != nil {
		t.shared = w.Shared
	}
	if t.random == nil {
		t.random = rand.Float64
	}
	t.texts.most = cfg.Texts / 2
	if err := t.load(); err != nil {
		return nil, err
	}
	if err := t.loadControls(); err != nil {
		return nil, err
	}
	for range cfg.Workers {
		t.ended.Go(t.learner)
	}
	t.ended.Go(t.sweep)
	return t, nil
}

// Close ends the work in the background. What waits to be learned is forgotten.
func (t *Tier) Close() {
	close(t.stop)
	t.ended.Wait()
}

// tenant returns the tenancy, which it makes where there is none.
func (t *Tier) tenant(id tenantID) *tenancy {
	if n := t.known(id); n != nil {
		return n
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.tenants[id]
	if n == nil {
		n = newTenancy(id)
		t.tenants[id] = n
	}
	return n
}

// known returns the tenancy; nil if there is none.
func (t *Tier) known(id tenantID) *tenancy {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.tenants[id]
}

// all lists the tenancies.
func (t *Tier) all() []*tenancy {
	t.mu.RLock()
	defer t.mu.RUnlock()
	list := make([]*tenancy, 0, len(t.tenants))
	for _, n := range t.tenants {
		list = append(list, n)
	}
	return list
}

// sweepEvery is how often expired entries are looked for; they are never given, so this
// only decides how soon their room is free.
const sweepEvery = time.Minute

// sweep deletes what is too old, until the tier is closed.
func (t *Tier) sweep() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-t.stop:
			return
		case <-tick.C:
			t.dropExpired()
		}
	}
}

func (t *Tier) dropExpired() {
	now := t.now()
	for _, n := range t.all() {
		t.eraseSeats(n.id, n.removeIf(func(p *seat) bool { return p.expires <= now }))
	}
}

// shedPart is the part of all entries that goes at once when there are too many.
const shedPart = 100

// makeRoom takes entries from whichever tenant has the most, so that no tenant's
// traffic takes another's away.
func (t *Tier) makeRoom() {
	for t.rows.Load() > int64(t.cfg.Entries) {
		var largest *tenancy
		most := 0
		for _, n := range t.all() {
			if l := n.len(); l > most {
				largest, most = n, l
			}
		}
		if largest == nil {
			return
		}
		t.eraseSeats(largest.id, largest.shed(max(1, t.cfg.Entries/shedPart)))
	}
}
