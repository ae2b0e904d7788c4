package semcache

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"purser/internal/store"
	"purser/ledger"

	"github.com/cockroachdb/pebble/v2"
)

// Config bounds the cache.
type Config struct {
	// TTL is how long an answer may be given again. Default 24 h, 1 s to 365 days.
	TTL time.Duration
	// EntryBytes bounds the body of one entry. Default 1 MiB, 1 to 3 MiB, so that
	// a fill fits a group of usage records.
	EntryBytes int64
	// StoreBytes bounds what is on disk, before compression, approximately.
	// Default 4 GiB, at least EntryBytes.
	StoreBytes int64
	// MemoryBytes bounds what is in memory. Default 64 MiB; 0 turns the front off.
	MemoryBytes int64
	// TenantShare is the part of what is on disk and in memory, in percent, that no
	// other tenant takes from a tenant: when room is needed, those who have more give
	// it first. Default 25, 1 to 100.
	TenantShare int
}

// DefaultConfig is what [Config.Validate] accepts as it is.
func DefaultConfig() Config {
	return Config{TTL: 24 * time.Hour, EntryBytes: 1 << 20, StoreBytes: 4 << 30, MemoryBytes: 64 << 20, TenantShare: 25}
}

// Validate reports every field that is out of its range.
func (c Config) Validate() error {
	var errs []error
	in := func(name string, v, low, high int64) {
		if v < low || v > high {
			errs = append(errs, fmt.Errorf("%s is %d, not within %d to %d", name, v, low, high))
		}
	}
	in("cache.ttl_seconds", int64(c.TTL/time.Second), 1, 365*24*3600)
	in("cache.entry_bytes", c.EntryBytes, 1, 3<<20)
	in("cache.store_bytes", c.StoreBytes, c.EntryBytes, 1<<50)
	in("cache.memory_bytes", c.MemoryBytes, 0, 1<<40)
	in("cache.tenant_share", int64(c.TenantShare), 1, 100)
	return errors.Join(errs...)
}

// Cache is the exact tier. [Open] makes one.
type Cache struct {
	cfg    Config
	store  *store.Store
	sealer Sealer
	front  *front
	keys   presence // of the store

	purges  atomic.Pointer[marks]
	purging sync.Mutex // held by whoever adds purges; before sweeping

	log *slog.Logger
	now func() ledger.Instant

	bytes  atomic.Int64 // of all places, those of replaced entries too
	places atomic.Int64
	shares shares
	count  counters

	sweeping sync.Mutex // held by whoever deletes places or counts them

	nudge chan struct{} // capacity 1: there is too much
	stop  chan struct{}
	ended sync.WaitGroup // the sweeper
}

type counters struct {
	frontHits, storeHits, misses, expired, damaged, faults, fills, tooLarge, late, evicted, renewed, purged atomic.Uint64
}

// Stats are counts since the cache was opened, and what it holds.
type Stats struct {
	FrontHits, StoreHits, Misses uint64
	Expired                      uint64 // misses for age, and expired entries deleted
	Damaged                      uint64 // entries that were changed, or sealed by a key that is lost
	Faults                       uint64 // reads and writes that failed
	Fills, TooLarge              uint64
	Late                         uint64 // answers that came in after a purge that was for them
	Evicted, Renewed             uint64 // by the sweeper, for room
	Purged                       uint64 // by purges, approximately
	Entries, Bytes, FrontBytes   int64  // approximately
	Tenants                      int    // that have entries
}

// Open opens the cache that is in the store, where entries are sealed. now is the wall
// clock by which the sweeper judges age, and purges are ordered. The cache must be
// closed before the store is.
func Open(s *store.Store, sealer Sealer, cfg Config, now func() ledger.Instant, log *slog.Logger) (*Cache, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("response cache: %w", err)
	}
	c := &Cache{
		cfg: cfg, store: s, sealer: sealer, front: newFront(&cfg), log: log, now: now,
		nudge: make(chan struct{}, 1), stop: make(chan struct{}),
	}
	if err := c.loadMarks(); err != nil {
		return nil, fmt.Errorf("response cache: %w", err)
	}
	if err := c.recountLocked(); err != nil { // no sweeper yet
		return nil, fmt.Errorf("response cache: %w", err)
	}
	known := newFilter(2 * c.places.Load())
	if err := c.learn(known); err != nil {
		return nil, fmt.Errorf("response cache: %w", err)
	}
	c.keys.current.Store(known)
	c.ended.Go(c.sweep)
	return c, nil
}

// Close ends the sweeper.
func (c *Cache) Close() {
	close(c.stop)
	c.ended.Wait()
}

// Wanted says which entries a request takes.
type Wanted struct {
	At      ledger.Instant
	Created ledger.Instant // not before; 0: however old
	Stale   bool           // an entry that has expired, too, for as long as it says
}

// takes says whether an entry is one that is wanted.
func (w Wanted) takes(e *Entry) bool {
	return e.Created >= w.Created && (w.At < e.Expires || w.Stale && w.At < e.keptUntil())
}

// Get returns the entry of k if there is one that is wanted.
func (c *Cache) Get(k Key, w Wanted) (*Entry, bool) {
	e, hits := c.find(&k, w, asking)
	switch {
	case e == nil:
	case w.takes(e):
		hits.Add(1)
		return e, true
	case w.At >= e.Expires:
		c.count.expired.Add(1)
	}
	c.count.misses.Add(1)
	return nil, false
}

// Peek is Get, but that nobody is taken to have asked; nil if there is none.
func (c *Cache) Peek(k Key, w Wanted) *Entry {
	if e, _ := c.find(&k, w, peeking); e != nil && w.takes(e) {
		return e
	}
	return nil
}

// find returns the entry of k, if it is not purged, and where it counts.
func (c *Cache) find(k *Key, w Wanted, how looking) (*Entry, *atomic.Uint64) {
	e := c.front.look(k, how)
	hits := &c.count.frontHits
	loaded := e == nil
	if loaded {
		if e = c.load(*k); e == nil {
			return nil, nil
		}
		hits = &c.count.storeHits
		e.labels = labelsOf(e)
	}
	switch over := w.At >= e.keptUntil(); {
	case c.purged(k, e):
		c.front.remove(k)
		return nil, nil
	case over && !loaded:
		c.front.remove(k)
	case loaded && !over:
		c.front.put(k, e)
	}
	return e, hits
}

// load reads the entry of k from the store; nil if there is none to use.
func (c *Cache) load(k Key) *Entry {
	if !c.keys.has(&k) {
		return nil
	}
	var buf [1 + len(k)]byte
	v, closer, err := c.store.DB().Get(appendEntryKey(buf[:0], &k))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil
	}
	if err != nil {
		c.fault("read a cache entry", err)
		return nil
	}
	e, err := decodeEntry(&k, v, c.sealer)
	if cerr := closer.Close(); cerr != nil {
		c.fault("read a cache entry", cerr)
	}
	if err != nil {
		c.count.damaged.Add(1)
		c.drop(&k)
		return nil
	}
	return e
}

// drop deletes the entry of k.
func (c *Cache) drop(k *Key) {
	c.front.remove(k)
	b := c.store.NewBatch()
	if err := b.Delete(appendEntryKey(nil, k), nil); err != nil {
		panic(fmt.Sprintf("semcache: add to a batch: %v", err))
	}
	if err := c.store.Apply(b, store.Buffered); err != nil {
		c.fault("delete a cache entry", err)
	}
}

func (c *Cache) fault(doing string, err error) {
	c.count.faults.Add(1)
	c.log.Warn("response cache", "doing", doing, "error", err)
}

// Ready gives an entry the life that it does not say itself, within the bounds.
func (c *Cache) Ready(e *Entry) {
	if e.Expires == 0 {
		e.Expires = e.Created + ledger.Instant(c.cfg.TTL)
	}
	e.Expires = min(e.Expires, e.Created+ledger.Instant(MaxTTL))
	e.Stale = min(max(e.Stale, 0), MaxTTL)
}

// Fill makes e the entry of k from e.Created on: at once for this process, and
// on disk with whatever batch the caller adds the returned pairs to. It returns
// none when e is too large to be kept, is not a complete success, or was purged while
// it was made. e belongs to the cache from now on.
func (c *Cache) Fill(k Key, e *Entry) []store.KV {
	if !c.Hold(k, e) {
		return nil
	}
	info := infoOf(e)
	c.keys.add(&k)
	c.places.Add(1)
	c.shares.add(&k, info.size)
	if c.bytes.Add(info.size) > c.cfg.StoreBytes {
		select {
		case c.nudge <- struct{}{}:
		default:
		}
	}
	return []store.KV{
		{Key: appendEntryKey(nil, &k), Value: appendEntry(nil, &k, e, c.sealer)},
		{Key: appendPlaceKey(nil, place{e.Created, k}), Value: appendPlaceInfo(nil, info)},
	}
}

// Keep is Fill for an answer that has no batch: it is written without waiting for the
// disk.
func (c *Cache) Keep(k Key, e *Entry) {
	kvs := c.Fill(k, e)
	if kvs == nil {
		return
	}
	b := batch{c: c, b: c.store.NewBatch()}
	for _, kv := range kvs {
		b.set(kv.Key, kv.Value)
	}
	if err := c.store.Apply(b.b, store.Buffered); err != nil {
		c.fault("write a cache entry", err)
	}
}

// Hold is Fill for an answer whose place on disk is elsewhere: it is in memory alone.
// It says whether the answer is one to keep.
func (c *Cache) Hold(k Key, e *Entry) bool {
	if !e.complete() || len(e.Tags) > MaxTags {
		return false
	}
	if int64(len(e.Body)) > c.cfg.EntryBytes {
		c.count.tooLarge.Add(1)
		return false
	}
	c.Ready(e)
	e.labels = labelsOf(e)
	if c.purged(&k, e) {
		c.count.late.Add(1)
		return false
	}
	c.front.put(&k, e)
	c.count.fills.Add(1)
	return true
}

// Stats returns the counts.
func (c *Cache) Stats() Stats {
	n := &c.count
	return Stats{
		FrontHits: n.frontHits.Load(), StoreHits: n.storeHits.Load(), Misses: n.misses.Load(),
		Expired: n.expired.Load(), Damaged: n.damaged.Load(), Faults: n.faults.Load(),
		Fills: n.fills.Load(), TooLarge: n.tooLarge.Load(), Late: n.late.Load(),
		Evicted: n.evicted.Load(), Renewed: n.renewed.Load(), Purged: n.purged.Load(),
		Entries: c.places.Load(), Bytes: c.bytes.Load(), FrontBytes: c.front.bytes(), Tenants: c.shares.tenants(),
	}
}
