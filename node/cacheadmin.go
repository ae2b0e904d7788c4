package node

import (
	"cmp"
	"context"
	"encoding/hex"
	"slices"
	"sync"
	"time"

	"purser/api/admin"
	"purser/semcache"
)

// cacheWait bounds the wait for what another node says of its cache.
const cacheWait = 2 * time.Second

var errCacheOff = admin.Conflict("the response cache of this node is off (cache.enabled)")

// cacheCounts are for the metrics.
func (n *Node) cacheCounts() map[string]int64 {
	if n.cache == nil {
		return nil
	}
	return cacheCounts(n.cache.tier.Stats(), n.cache.fleet.Stats())
}

// CacheStats implements admin.Caches.
func (c control) CacheStats(ctx context.Context) ([]admin.CacheNode, error) {
	n := c.n
	if n.cache == nil {
		return nil, errCacheOff
	}
	out := []admin.CacheNode{{Node: n.cfg.Node.ID, Counts: n.cacheCounts()}}
	if n.sharing.clients == nil {
		return out, nil
	}
	ctx, cancel := context.WithTimeout(ctx, cacheWait)
	defer cancel()
	var mu sync.Mutex
	var asking sync.WaitGroup
	slots := make(chan struct{}, maxAsked)
	for _, id := range n.owners() {
		slots <- struct{}{}
		asking.Go(func() {
			defer func() { <-slots }()
			counts, err := n.sharing.stats(ctx, id)
			node := admin.CacheNode{Node: id, Counts: counts}
			if err != nil {
				node.Error = err.Error()
			}
			mu.Lock()
			defer mu.Unlock()
			out = append(out, node)
		})
	}
	asking.Wait()
	slices.SortFunc(out[1:], func(a, b admin.CacheNode) int { return cmp.Compare(a.Node, b.Node) })
	return out, nil
}

// PurgeCache implements admin.Caches.
func (c control) PurgeCache(ctx context.Context, in admin.CachePurge) ([]admin.CachePurged, error) {
	n := c.n
	if n.cache == nil {
		return nil, errCacheOff
	}
	if err := n.noted(ctx, change{action: "cache.purge", target: "cache", after: in}); err != nil {
		return nil, err
	}
	s := semcache.Selection{Tenant: in.Tenant, Model: in.Model, Tag: in.Tag}
	if key, err := hex.DecodeString(in.Key); err == nil && len(key) == len(s.Key) {
		s.Key = semcache.Key(key)
	}
	done, err := n.cache.fleet.Purge(ctx, s)
	if err != nil {
		return nil, err
	}
	out := make([]admin.CachePurged, len(done))
	for i, d := range done {
		out[i] = admin.CachePurged{Node: d.Node, Deleted: d.Entries}
		if d.Err != nil {
			out[i].Error = d.Err.Error()
		}
	}
	return out, nil
}
