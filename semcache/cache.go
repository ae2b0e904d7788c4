package semcache

import (
	"encoding/binary"
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
}

// DefaultConfig is what [Config.Validate] accepts as it is.
func DefaultConfig() Config {
	return Config{TTL: 24 * time.Hour, EntryBytes: 1 << 20, StoreBytes: 4 << 30, MemoryBytes: 64 << 20}
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
	return errors.Join(errs...)
}

// Cache is the exact tier. [Open] makes one.
type Cache struct {
	cfg   Config
	store *store.Store
	front *front
	keys  presence // of the store
	log   *slog.Logger
	now   func() ledger.Instant

	bytes  atomic.Int64 // of all places, those of replaced entries too
	places atomic.Int64
	count  counters

	sweeping sync.Mutex // held by whoever deletes places or counts them

	nudge chan struct{} // capacity 1: there is too much
	stop  chan struct{}
	ended sync.WaitGroup // the sweeper
}

type counters struct {
	frontHits, storeHits, misses, expired, damaged, faults, fills, tooLarge, evicted, renewed atomic.Uint64
}

// Stats are counts since the cache was opened, and what it holds.
type Stats struct {
	FrontHits, StoreHits, Misses uint64
	Expired                      uint64 // misses for age, and expired entries deleted
	Damaged                      uint64 // entries whose checksum was wrong
	Faults                       uint64 // reads and writes that failed
	Fills, TooLarge              uint64
	Evicted, Renewed             uint64 // by the sweeper, for room
	Entries, Bytes, FrontBytes   int64  // approximately
}

// Open opens the cache that is in the store. now is the wall clock by which the
// sweeper judges age. The cache must be closed before the store is.
func Open(s *store.Store, cfg Config, now func() ledger.Instant, log *slog.Logger) (*Cache, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("response cache: %w", err)
	}
	c := &Cache{
		cfg: cfg, store: s, front: newFront(cfg.MemoryBytes), log: log, now: now,
		nudge: make(chan struct{}, 1), stop: make(chan struct{}),
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

// Get returns the entry of k if there is one that is valid at the instant.
func (c *Cache) Get(k Key, now ledger.Instant) (*Entry, bool) {
	e := c.front.get(&k)
	hits := &c.count.frontHits
	if e == nil {
		if e = c.load(k); e == nil {
			c.count.misses.Add(1)
			return nil, false
		}
		hits = &c.count.storeHits
		if now < e.Expires {
			c.front.put(&k, e)
		}
	}
	if now >= e.Expires {
		c.front.remove(&k)
		c.count.expired.Add(1)
		c.count.misses.Add(1)
		return nil, false
	}
	hits.Add(1)
	return e, true
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
	e, err := decodeEntry(&k, v)
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

// Fill makes e the entry of k from e.Created on: at once for this process, and
// on disk with whatever batch the caller adds the returned pairs to. It returns
// none when e is too large to be kept or is not a complete success. e belongs to
// the cache from now on.
func (c *Cache) Fill(k Key, e *Entry) []store.KV {
	if e.Status != 200 || len(e.Body) == 0 {
		return nil
	}
	if int64(len(e.Body)) > c.cfg.EntryBytes {
		c.count.tooLarge.Add(1)
		return nil
	}
	e.Expires = e.Created + ledger.Instant(c.cfg.TTL)
	info := placeInfo{created: e.Created, expires: e.Expires, size: e.size()}
	c.front.put(&k, e)
	c.keys.add(&k)
	c.count.fills.Add(1)
	c.places.Add(1)
	if c.bytes.Add(info.size) > c.cfg.StoreBytes {
		select {
		case c.nudge <- struct{}{}:
		default:
		}
	}
	return []store.KV{
		{Key: appendEntryKey(nil, &k), Value: appendEntry(nil, &k, e)},
		{Key: appendPlaceKey(nil, place{e.Created, k}), Value: appendPlaceInfo(nil, info)},
	}
}

// PurgeAll deletes every entry. Answers that are being made now may still come
// in; a change of [Scope.Epoch] shuts those out too.
func (c *Cache) PurgeAll() error {
	c.sweeping.Lock()
	defer c.sweeping.Unlock()
	b := c.store.NewBatch()
	for _, prefix := range [...]byte{store.PrefixCache, store.PrefixPlace} {
		if err := b.DeleteRange([]byte{prefix}, []byte{prefix + 1}, nil); err != nil {
			return fmt.Errorf("purge the response cache: %w", err)
		}
	}
	if err := c.store.Apply(b, store.Synced); err != nil {
		return fmt.Errorf("purge the response cache: %w", err)
	}
	c.front.removeIf(func(*Key) bool { return true })
	return c.recountLocked()
}

// PurgeTenant deletes every entry of the tenant, with the same remark.
func (c *Cache) PurgeTenant(tenant string) error {
	prefix := prefixOf(tenant)
	from := append([]byte{store.PrefixCache}, prefix[:]...)
	b := c.store.NewBatch()
	if err := b.DeleteRange(from, after(from), nil); err != nil {
		return fmt.Errorf("purge the response cache of a tenant: %w", err)
	}
	if err := c.store.Apply(b, store.Synced); err != nil {
		return fmt.Errorf("purge the response cache of a tenant: %w", err)
	}
	c.front.removeIf(func(k *Key) bool { return [tenantPrefix]byte(k[:tenantPrefix]) == prefix })
	return nil
}

// after is the first key that does not begin with prefix, whose first byte is
// one of the store's prefixes and so never the last.
func after(prefix []byte) []byte {
	next := append([]byte(nil), prefix...)
	for i := len(next) - 1; ; i-- {
		next[i]++
		if next[i] != 0 {
			return next[:i+1]
		}
	}
}

// Stats returns the counts.
func (c *Cache) Stats() Stats {
	n := &c.count
	return Stats{
		FrontHits: n.frontHits.Load(), StoreHits: n.storeHits.Load(), Misses: n.misses.Load(),
		Expired: n.expired.Load(), Damaged: n.damaged.Load(), Faults: n.faults.Load(),
		Fills: n.fills.Load(), TooLarge: n.tooLarge.Load(), Evicted: n.evicted.Load(), Renewed: n.renewed.Load(),
		Entries: c.places.Load(), Bytes: c.bytes.Load(), FrontBytes: c.front.bytes(),
	}
}

func appendEntryKey(b []byte, k *Key) []byte {
	return append(append(b, store.PrefixCache), k[:]...)
}

const placeKeyLen = 1 + 8 + len(Key{})

func appendPlaceKey(b []byte, p place) []byte {
	b = binary.BigEndian.AppendUint64(append(b, store.PrefixPlace), uint64(max(p.placed, 0)))
	return append(b, p.key[:]...)
}

func parsePlaceKey(b []byte) (p place, ok bool) {
	if len(b) != placeKeyLen {
		return p, false
	}
	p.placed = ledger.Instant(binary.BigEndian.Uint64(b[1:]))
	copy(p.key[:], b[9:])
	return p, true
}
