package semcache

import (
	"fmt"
	"time"

	"purser/internal/store"
	"purser/ledger"

	"github.com/cockroachdb/pebble/v2"
)

const (
	// sweepEvery is how often the sweeper looks for expired entries; they are
	// never given out, so this only decides how soon their room is free.
	sweepEvery = 10 * time.Second
	// sweepStep bounds the places that are looked at in one go, some 10 ms.
	sweepStep = 8192
	// lowWater is the part of StoreBytes, in percent, that eviction goes down to,
	// so that it does not run for every fill.
	lowWater = 90
)

// sweep deletes what is too much or too old, until the cache is closed.
func (c *Cache) sweep() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	var aged place // where the search for expired entries goes on
	for {
		select {
		case <-c.stop:
			return
		case <-c.nudge:
			c.makeRoom()
		case <-tick.C:
			aged = c.round(aged)
		}
	}
}

// round is one step of the search for expired entries, and what is due with it:
// the counts anew after the last step, the filter anew after that or when it is
// full. The new filter takes keys for a whole step before it is filled from the
// store, so that a fill that was on its way to the store when the filter was made
// is there by then.
func (c *Cache) round(aged place) place {
	aged = c.dropExpired(aged)
	if aged == (place{}) {
		c.recount()
	}
	switch f := c.keys.next.Load(); {
	case f != nil:
		if err := c.learn(f); err != nil {
			c.fault("sweep", err) // tried again at the next step
			break
		}
		c.keys.current.Store(f)
		c.keys.next.Store(nil)
	case aged == (place{}) || c.keys.current.Load().full():
		c.keys.next.Store(newFilter(2 * c.places.Load()))
	}
	return aged
}

// makeRoom evicts until the store is at its low-water mark: first the oldest places of
// tenants that have more than their share, then the oldest of all. A place whose key
// is asked for is renewed instead, at most once in a call, so that it ends; if that
// leaves too little room, those with more than their share give it all the same.
func (c *Cache) makeRoom() {
	goal := c.cfg.StoreBytes / 100 * lowWater
	share := goal / 100 * int64(c.cfg.TenantShare)
	if c.shares.beyond(share) {
		rich := func(k *Key) bool { return c.shares.of(k) > share }
		c.evict(goal, c.now(), rich)
		c.evict(goal, ledger.MaxInstant, rich)
	}
	if !c.shares.beyond(share) { // else they have filled on meanwhile, and it is their turn again
		c.evict(goal, c.now(), func(*Key) bool { return true })
	}
}

// evict deletes places from before end that may go, oldest first, until the goal is
// reached. Without an end it renews none.
func (c *Cache) evict(goal int64, before ledger.Instant, may func(*Key) bool) {
	end := place{placed: before}
	for from := (place{}); c.bytes.Load() > goal; {
		w := c.walk(from, end, func(p place, info placeInfo, b *batch) bool {
			switch {
			case !may(&p.key):
			case info.expires > before && c.front.wanted(&p.key) && info.created == p.placed:
				c.renew(p, info, b)
			default:
				b.remove(p, info)
				c.count.evicted.Add(1)
			}
			return c.bytes.Load()-b.freed > goal
		})
		if !w.more {
			return
		}
		from = w.next
		select {
		case <-c.stop:
			return
		default:
		}
	}
}

// renew gives a place its second chance: it moves to the end of the order.
func (c *Cache) renew(p place, info placeInfo, b *batch) {
	b.delete(appendPlaceKey(nil, p))
	b.set(appendPlaceKey(nil, place{c.now(), p.key}), appendPlaceInfo(nil, info))
	c.count.renewed.Add(1)
}

// dropExpired looks at the next places from the given one on, and returns where
// to go on: at the beginning after the last.
func (c *Cache) dropExpired(from place) place {
	now := c.now()
	w := c.walk(from, place{placed: ledger.MaxInstant}, func(p place, info placeInfo, b *batch) bool {
		if info.expires <= now {
			b.remove(p, info)
			c.count.expired.Add(1)
		}
		return true
	})
	if w.more {
		return w.next
	}
	return place{}
}

// walked is where a walk has come to.
type walked struct {
	next place
	more bool
}

// walk calls visit for at most sweepStep places from one up to another, until it
// says no, and applies what it put into the batch.
func (c *Cache) walk(from, to place, visit func(place, placeInfo, *batch) bool) (w walked) {
	c.sweeping.Lock()
	defer c.sweeping.Unlock()
	it, err := c.store.DB().NewIter(&pebble.IterOptions{
		LowerBound: appendPlaceKey(nil, from), UpperBound: appendPlaceKey(nil, to),
	})
	if err != nil {
		c.fault("sweep", err)
		return walked{}
	}
	b := &batch{c: c, b: c.store.NewBatch()}
	for ok, n := it.First(), 0; ok; ok, n = it.Next(), n+1 {
		p, known := parsePlaceKey(it.Key())
		if n == sweepStep {
			w = walked{next: p, more: true}
			break
		}
		info, valid := decodePlaceInfo(it.Value())
		if !known || !valid {
			b.delete(append([]byte(nil), it.Key()...))
			continue
		}
		if !visit(p, info, b) {
			break
		}
	}
	if err := it.Close(); err != nil {
		c.fault("sweep", err)
	}
	if err := c.store.Apply(b.b, store.Buffered); err != nil {
		c.fault("sweep", err)
		return walked{}
	}
	c.bytes.Add(-b.freed)
	c.places.Add(-b.places)
	return w
}

// batch is what one walk changes. It need not be durable: a place or entry that
// comes back after a crash is swept again.
type batch struct {
	c      *Cache
	b      *pebble.Batch
	freed  int64
	places int64
}

// remove deletes the place, and the entry if it is the one that was filled there
// and not a later one. A fill that comes between the look and the deletion is
// lost, which in a cache is a miss.
func (b *batch) remove(p place, info placeInfo) {
	b.delete(appendPlaceKey(nil, p))
	b.freed += info.size
	b.places++
	b.c.shares.add(&p.key, -info.size)
	if b.c.createdOf(&p.key) == info.created {
		b.delete(appendEntryKey(nil, &p.key))
		b.c.front.remove(&p.key)
	}
}

func (b *batch) delete(key []byte) {
	if err := b.b.Delete(key, nil); err != nil {
		panic(fmt.Sprintf("semcache: add to a batch: %v", err))
	}
}

func (b *batch) set(key, value []byte) {
	if err := b.b.Set(key, value, nil); err != nil {
		panic(fmt.Sprintf("semcache: add to a batch: %v", err))
	}
}

// createdOf reads when the entry of k was made; -1 if there is none.
func (c *Cache) createdOf(k *Key) ledger.Instant {
	v, closer, err := c.store.DB().Get(appendEntryKey(nil, k))
	if err != nil {
		return -1
	}
	defer func() { _ = closer.Close() }()
	return createdIn(v)
}

// recount counts anew, which corrects what the running count has gone wrong by:
// fills that never reached the store, and two of one key at one instant.
func (c *Cache) recount() {
	c.sweeping.Lock()
	defer c.sweeping.Unlock()
	if err := c.recountLocked(); err != nil {
		c.fault("sweep", err)
	}
}

func (c *Cache) recountLocked() error {
	var bytes, places int64
	tenants := map[tenant]int64{}
	err := c.eachPlace(func(p place, info placeInfo) {
		bytes += info.size
		places++
		tenants[p.key.tenant()] += info.size
	})
	if err != nil {
		return fmt.Errorf("count entries: %w", err)
	}
	c.bytes.Store(bytes)
	c.places.Store(places)
	c.shares.set(tenants)
	return nil
}

// learn adds every key of the store to f: each entry has a place.
func (c *Cache) learn(f *filter) error {
	if err := c.eachPlace(func(p place, _ placeInfo) { f.add(&p.key) }); err != nil {
		return fmt.Errorf("list entries: %w", err)
	}
	return nil
}

// eachPlace calls visit for every place that can be read.
func (c *Cache) eachPlace(visit func(place, placeInfo)) error {
	it, err := c.store.DB().NewIter(&pebble.IterOptions{
		LowerBound: []byte{store.PrefixPlace}, UpperBound: []byte{store.PrefixPlace + 1},
	})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		p, known := parsePlaceKey(it.Key())
		if info, valid := decodePlaceInfo(it.Value()); known && valid {
			visit(p, info)
		}
	}
	return it.Close()
}
