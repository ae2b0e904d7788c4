package node

import (
	"context"

	"purser/internal/store"
	"purser/ledger"
	"purser/proxy"
	"purser/semcache"
	"purser/semcache/fleet"
)

// cache is the exact tier of this node and the others as the request path sees it.
type cache struct {
	tier  *semcache.Cache
	fleet *fleet.Fleet
	now   func() ledger.Instant
}

// Key implements proxy.Cache.
func (c *cache) Key(s proxy.CacheScope, canonical []byte) ([32]byte, int64) {
	scope := semcache.Scope{Tenant: s.Tenant, Route: s.Route, Model: s.Model, Endpoint: s.Endpoint}
	return semcache.MakeKey(scope, canonical), int64(c.tier.Epoch())
}

// Get implements proxy.Cache.
func (c *cache) Get(key [32]byte, ask proxy.CacheAsk) (*proxy.Cached, bool) {
	at := c.now()
	e, ok := c.fleet.Get(semcache.Key(key), semcache.Wanted{At: at, Created: ask.Created, Stale: ask.Stale})
	if !ok {
		return nil, false
	}
	return cachedOf(e, at), true
}

// Join implements proxy.Cache.
func (c *cache) Join(ctx context.Context, key [32]byte, ask proxy.CacheAsk) (proxy.Flight, *proxy.Cached, bool) {
	f, e, how := c.fleet.Join(ctx, fleet.Question{
		Key: semcache.Key(key), Wait: ask.Wait, Created: ask.Created, Stale: ask.Stale, Fresh: ask.Fresh,
	})
	switch {
	case f != nil:
		return flight{f, c}, nil, false
	case e != nil:
		return nil, cachedOf(e, c.now()), how == fleet.Followed
	default:
		return nil, nil, false
	}
}

// fill makes an answer an entry, and returns what is to be written of it.
func (c *cache) fill(f *proxy.Fill) []store.KV {
	return c.fleet.Fill(semcache.Key(f.Key), c.entryOf(f))
}

func (c *cache) entryOf(f *proxy.Fill) *semcache.Entry {
	now := c.now()
	e := &semcache.Entry{
		Created: now, Stale: f.Stale, Epoch: semcache.Epoch(f.Since), Tags: f.Tags,
		Status: 200, ContentType: "application/json", Body: f.Answer.Body,
		Asked: f.Asked, Model: f.Answer.Model, Usage: f.Answer.Usage, Cost: f.Answer.Cost,
	}
	if f.TTL > 0 {
		e.Expires = now + ledger.Instant(f.TTL)
	}
	c.tier.Ready(e)
	return e
}

type flight struct {
	f *fleet.Flight
	c *cache
}

// Land implements proxy.Flight.
func (f flight) Land(fill *proxy.Fill) {
	if fill == nil {
		f.f.Land(nil)
		return
	}
	f.f.Land(f.c.entryOf(fill))
}

func cachedOf(e *semcache.Entry, at ledger.Instant) *proxy.Cached {
	return &proxy.Cached{Body: e.Body, Model: e.Model, Usage: e.Usage, Cost: e.Cost, Created: e.Created, Stale: e.Expires > 0 && at >= e.Expires}
}
