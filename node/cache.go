package node

import (
	"context"
	"time"

	"purser/internal/store"
	"purser/ledger"
	"purser/proxy"
	"purser/semcache"
)

// cache is the exact tier as the request path sees it.
type cache struct {
	tier    *semcache.Cache
	flights semcache.Flights
	now     func() ledger.Instant
}

// Key implements proxy.Cache.
func (c *cache) Key(s proxy.CacheScope, canonical []byte) [32]byte {
	return semcache.MakeKey(semcache.Scope{Tenant: s.Tenant, Route: s.Route, Model: s.Model, Endpoint: s.Endpoint}, canonical)
}

// Get implements proxy.Cache.
func (c *cache) Get(key [32]byte) (*proxy.Cached, bool) {
	e, ok := c.tier.Get(semcache.Key(key), c.now())
	if !ok {
		return nil, false
	}
	return cachedOf(e), true
}

// Join implements proxy.Cache.
func (c *cache) Join(ctx context.Context, key [32]byte, limit time.Duration) (proxy.Flight, *proxy.Cached) {
	f, e := c.flights.Join(ctx, semcache.Key(key), limit)
	switch {
	case f != nil:
		return flight{f, c.now}, nil
	case e != nil:
		return nil, cachedOf(e)
	default:
		return nil, nil
	}
}

// fill makes an answer an entry, and returns what is to be written of it.
func (c *cache) fill(f *proxy.Fill) []store.KV {
	return c.tier.Fill(semcache.Key(f.Key), entryOf(f.Answer, c.now()))
}

type flight struct {
	f   *semcache.Flight
	now func() ledger.Instant
}

// Land implements proxy.Flight.
func (f flight) Land(c *proxy.Cached) {
	if c == nil {
		f.f.Land(nil)
		return
	}
	f.f.Land(entryOf(c, f.now()))
}

func cachedOf(e *semcache.Entry) *proxy.Cached {
	return &proxy.Cached{Body: e.Body, Model: e.Model, Usage: e.Usage, Cost: e.Cost}
}

func entryOf(c *proxy.Cached, now ledger.Instant) *semcache.Entry {
	return &semcache.Entry{Created: now, Status: 200, ContentType: "application/json", Body: c.Body, Model: c.Model, Usage: c.Usage, Cost: c.Cost}
}
