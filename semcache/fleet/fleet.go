package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"purser/internal/store"
	"purser/ledger"
	"purser/semcache"
)

// Config bounds what is asked of other nodes.
type Config struct {
	// AskTime is how long an owner has to say what it has. Default 50 ms, 1 ms to 10 s.
	AskTime time.Duration
	// PutTime bounds giving an owner an entry, and telling a node of a purge. Default
	// 5 s.
	PutTime time.Duration
	// Compare is how often this node compares the purges it knows of with another.
	// Default 5 s.
	Compare time.Duration
}

// DefaultConfig is the defaults.
func DefaultConfig() Config {
	return Config{AskTime: 50 * time.Millisecond, PutTime: 5 * time.Second, Compare: 5 * time.Second}
}

const (
	// maxLines bounds the conversations with one node; beyond it requests are made as
	// if it were not there.
	maxLines = 2048
	// maxPuts bounds the entries on their way to other nodes: of more, this node keeps
	// them itself.
	maxPuts = 256
)

// Fleet is this node's part in the caches of all nodes. [New] makes one.
type Fleet struct {
	cfg   Config
	cache *semcache.Cache
	peers Peers // nil: this node is alone
	now   func() ledger.Instant
	log   *slog.Logger

	here  semcache.Flights // of this node's requests for keys of others
	owned semcache.Flights // of any node's requests for keys of this one

	self  *peer
	nodes atomic.Pointer[[]*peer] // this one among them
	lines sync.Map                // semcache.Key to struct{}: flights that this node leads for an owner
	puts  chan struct{}           // one for each entry on its way

	base     context.Context
	stop     context.CancelFunc
	mu       sync.Mutex // of closed
	closed   bool
	working  sync.WaitGroup
	count    counters
	compared int // of the comparing goroutine alone
}

type counters struct {
	asked, hits, shared, led, alone, failed, skipped, served, puts, kept, damaged atomic.Uint64
}

// Stats are counts since the start.
type Stats struct {
	Asked, Hits, Shared, Led, Alone uint64 // of other nodes, and what they said
	Failed                          uint64 // no answer in time, or none that was any good
	Skipped                         uint64 // nodes that were not asked because of failures before
	Served                          uint64 // answers of this node that other nodes asked for
	Puts, Kept                      uint64 // entries given to owners, and kept here instead
	Damaged                         uint64 // what came from other nodes and was not used
	Nodes                           int    // that own keys, this one among them
	Flights                         semcache.FlightStats
}

// peer is a node, as this one sees it.
type peer struct {
	id      string
	seed    uint64
	breaker breaker
	slots   chan struct{} // one for each conversation
	behind  atomic.Bool   // a comparison of purges is under way
}

func newPeer(id string) *peer {
	return &peer{id: id, seed: seedOf(id), slots: make(chan struct{}, maxLines)}
}

// New returns the fleet of a node that knows of no others yet. With nil peers it never
// does. cache must outlive it.
func New(self string, cache *semcache.Cache, peers Peers, cfg Config, now func() ledger.Instant, log *slog.Logger) *Fleet {
	f := &Fleet{cfg: cfg, cache: cache, peers: peers, now: now, log: log, self: newPeer(self), puts: make(chan struct{}, maxPuts)}
	f.base, f.stop = context.WithCancel(context.Background())
	f.nodes.Store(&[]*peer{f.self})
	if peers != nil {
		f.working.Go(f.compare)
	}
	return f
}

// Close breaks off what is under way.
func (f *Fleet) Close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.stop()
	f.working.Wait()
}

// work runs do, and has Close wait for it; false if the fleet is closed.
func (f *Fleet) work(do func()) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	f.working.Go(do)
	return true
}

// SetNodes says which other nodes may own keys.
func (f *Fleet) SetNodes(ids []string) {
	was := map[string]*peer{}
	for _, p := range *f.nodes.Load() {
		was[p.id] = p
	}
	list := []*peer{f.self}
	for _, id := range ids {
		switch p := was[id]; {
		case id == f.self.id:
		case p != nil:
			list = append(list, p)
		default:
			p = newPeer(id)
			list = append(list, p)
			f.catchUp(p) // with the purges that this node may have missed
		}
	}
	f.nodes.Store(&list)
}

// owner is the node that owns the key: of those that are worth asking, the one of the
// highest weight.
func (f *Fleet) owner(k *semcache.Key) *peer {
	nodes := *f.nodes.Load()
	if len(nodes) == 1 {
		return f.self
	}
	var best *peer
	var most uint64
	now := time.Now()
	for _, p := range nodes {
		if w := weight(p.seed, k); (best == nil || w > most) && (p == f.self || !p.breaker.open(now)) {
			best, most = p, w
		}
	}
	return best
}

// Get returns the entry of k that this node has, if it is wanted.
func (f *Fleet) Get(k semcache.Key, w semcache.Wanted) (*semcache.Entry, bool) {
	return f.cache.Get(k, w)
}

// Fill makes e the entry of k, and returns what is to be written of it by this node.
func (f *Fleet) Fill(k semcache.Key, e *semcache.Entry) []store.KV {
	p := f.owner(&k)
	if p == f.self {
		return f.cache.Fill(k, e)
	}
	if _, carried := f.lines.Load(k); carried {
		f.cache.Hold(k, e) // its landing takes it to the owner
		return nil
	}
	select {
	case f.puts <- struct{}{}:
	default:
		f.count.kept.Add(1)
		return f.cache.Fill(k, e)
	}
	if !f.cache.Hold(k, e) {
		<-f.puts
		return nil
	}
	if !f.work(func() { defer func() { <-f.puts }(); f.put(p, k, e) }) {
		<-f.puts
	}
	return nil
}

// put gives an entry to its owner, or keeps it here.
func (f *Fleet) put(p *peer, k semcache.Key, e *semcache.Entry) {
	ctx, cancel := context.WithTimeout(f.base, f.cfg.PutTime)
	defer cancel()
	f.count.puts.Add(1)
	err := f.peers.Put(ctx, p.id, k, semcache.AppendWire(nil, k, e))
	if err == nil {
		return
	}
	p.breaker.failed(time.Now())
	f.keep(k, e)
}

// keep puts an entry on this node's disk because its owner did not take it.
func (f *Fleet) keep(k semcache.Key, e *semcache.Entry) {
	f.count.kept.Add(1)
	f.cache.Keep(k, e)
}

// Take keeps an entry that another node has filled.
func (f *Fleet) Take(k semcache.Key, wire []byte) error {
	e, err := f.decode(k, wire)
	if err != nil {
		return err
	}
	f.cache.Keep(k, e)
	return nil
}

// decode reads an entry of another node, whose clock may be ahead.
func (f *Fleet) decode(k semcache.Key, wire []byte) (*semcache.Entry, error) {
	e, err := semcache.DecodeWire(k, wire)
	if err != nil {
		f.count.damaged.Add(1)
		return nil, fmt.Errorf("an entry of another node: %w", err)
	}
	if ahead := e.Created - f.now(); ahead > 0 {
		e.Created, e.Expires = e.Created-ahead, e.Expires-ahead
	}
	return e, nil
}

// errBusy is a node with which there are too many conversations.
var errBusy = errors.New("too much is asked of this node at once")

// Stats returns the counts.
func (f *Fleet) Stats() Stats {
	n := &f.count
	out := Stats{
		Asked: n.asked.Load(), Hits: n.hits.Load(), Shared: n.shared.Load(), Led: n.led.Load(), Alone: n.alone.Load(),
		Failed: n.failed.Load(), Skipped: n.skipped.Load(), Served: n.served.Load(), Puts: n.puts.Load(), Kept: n.kept.Load(),
		Damaged: n.damaged.Load(), Nodes: len(*f.nodes.Load()), Flights: f.owned.Stats(),
	}
	h := f.here.Stats()
	out.Flights.Led += h.Led
	out.Flights.Shared += h.Shared
	out.Flights.Alone += h.Alone
	return out
}
