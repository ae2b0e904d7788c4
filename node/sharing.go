package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"purser/api/pb"
	"purser/cluster/peer"
	"purser/internal/directory"
	"purser/ledger"
	"purser/semcache"
	"purser/semcache/fleet"
)

// sharing is how the caches of the nodes reach each other.
type sharing struct {
	fleet   atomic.Pointer[fleet.Fleet] // once it is open, for peers that ask before
	tier    atomic.Pointer[semcache.Cache]
	peers   *peers
	clients *peer.Clients // of their own: what is about money does not queue behind them
}

// ownersEvery is how soon a node takes note of others that come and go.
const ownersEvery = time.Second

// openCache opens the exact tier, and its part in those of the others.
func (n *Node) openCache(ctx context.Context) error {
	if !n.cfg.Cache.Enabled {
		return nil
	}
	key, err := n.openDataKey(ctx)
	if err != nil {
		return err
	}
	cfg := semcache.DefaultConfig()
	cfg.TTL, cfg.StoreBytes, cfg.EntryBytes = n.cfg.Cache.TTL, n.cfg.Cache.Bytes, int64(n.cfg.Cache.EntryBytes)
	cfg.MemoryBytes, cfg.TenantShare = n.cfg.Cache.MemoryBytes, n.cfg.Cache.TenantShare
	tier, err := semcache.Open(n.store, key, cfg, now, n.log)
	if err != nil {
		return err
	}
	var others fleet.Peers
	if n.peers != nil && n.cfg.Cache.Shared {
		n.sharing.peers, n.sharing.clients = n.peers, peer.NewClients(n.peers.proof)
		others = &n.sharing
	}
	limits := fleet.DefaultConfig()
	limits.AskTime = n.cfg.Cache.AskTime
	n.cache = &cache{tier: tier, fleet: fleet.New(n.cfg.Node.ID, tier, others, limits, now, n.log), now: now}
	if others != nil {
		n.cache.fleet.SetNodes(n.owners())
		n.sharing.tier.Store(tier)
		n.sharing.fleet.Store(n.cache.fleet)
	}
	return nil
}

// owners are the other nodes that may own cached answers.
func (n *Node) owners() (ids []string) {
	for _, d := range n.fsm.Directory().Nodes() {
		if d.State == directory.NodeActive && string(d.ID) != n.cfg.Node.ID {
			ids = append(ids, string(d.ID))
		}
	}
	return ids
}

// keepOwners takes note of nodes that come and go. It returns when ctx is done.
func (n *Node) keepOwners(ctx context.Context) {
	if n.sharing.fleet.Load() == nil {
		return
	}
	t := time.NewTicker(ownersEvery)
	defer t.Stop()
	var was []string
	for {
		if ids := n.owners(); !slices.Equal(ids, was) {
			n.cache.fleet.SetNodes(ids)
			n.sharing.clients.Forget(func(node string) bool { return slices.Contains(ids, node) })
			was = ids
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

func (s *sharing) close() {
	if s.clients != nil {
		s.clients.Close()
	}
}

// where is a node's address.
func (s *sharing) where(node string) (string, error) {
	known, ok := s.peers.n.fsm.Directory().Node(ledger.NodeID(node))
	if !ok || known.State == directory.NodeRemoved {
		return "", fmt.Errorf("there is no node %s", node)
	}
	return s.peers.where(node, known.Address), nil
}

// Ask implements fleet.Peers.
func (s *sharing) Ask(ctx context.Context, node string, q fleet.Question) (fleet.Line, error) {
	address, err := s.where(node)
	if err != nil {
		return nil, err
	}
	call, err := s.clients.CacheAsk(ctx, node, address, &pb.CacheQuestion{
		Key: q.Key[:], Wait: int64(q.Wait), Created: int64(q.Created), Stale: q.Stale, Fresh: q.Fresh, Epoch: int64(q.Epoch),
	})
	if err != nil {
		return nil, err
	}
	return cacheLine{call}, nil
}

type cacheLine struct{ *peer.CacheCall }

// Next implements fleet.Line.
func (l cacheLine) Next() (fleet.Reply, error) {
	r, err := l.CacheCall.Next()
	if err != nil {
		return fleet.Reply{}, err
	}
	return fleet.Reply{Verdict: fleet.Verdict(min(r.Verdict, 255)), Entry: r.Entry, Epoch: semcache.Epoch(r.Epoch)}, nil
}

// Put implements fleet.Peers.
func (s *sharing) Put(ctx context.Context, node string, k semcache.Key, entry []byte) error {
	address, err := s.where(node)
	if err != nil {
		return err
	}
	return s.clients.CachePut(ctx, node, address, &pb.CachePutRequest{Key: k[:], Entry: entry})
}

// Exchange implements fleet.Peers.
func (s *sharing) Exchange(ctx context.Context, node string, marks []semcache.Mark) ([]semcache.Mark, int, error) {
	address, err := s.where(node)
	if err != nil {
		return nil, 0, err
	}
	out, err := s.clients.CachePurge(ctx, node, address, &pb.CachePurgeRequest{Purges: writeMarks(marks)})
	if err != nil {
		return nil, 0, err
	}
	theirs, err := readMarks(out.Purges)
	return theirs, int(out.Deleted), err
}

// stats asks a node what its cache has and did.
func (s *sharing) stats(ctx context.Context, node string) (map[string]int64, error) {
	address, err := s.where(node)
	if err != nil {
		return nil, err
	}
	return s.clients.CacheStats(ctx, node, address)
}

func writeMarks(marks []semcache.Mark) (out [][]byte) {
	for i := range marks {
		b, _ := marks[i].AppendBinary(nil) // it never fails
		out = append(out, b)
	}
	return out
}

func readMarks(in [][]byte) ([]semcache.Mark, error) {
	if len(in) > semcache.MaxMarks {
		return nil, fmt.Errorf("%d purges at once; the most is %d", len(in), semcache.MaxMarks)
	}
	out := make([]semcache.Mark, len(in))
	for i, b := range in {
		if err := out[i].UnmarshalBinary(b); err != nil {
			return nil, err
		}
	}
	return out, nil
}

var errNotYet = errors.New("the cache of this node is not open yet, or not shared")

// service is what this node answers the others about its cache.
func (s *sharing) service() peer.Caches {
	return peer.Caches{
		Ask: func(ctx context.Context, in *pb.CacheQuestion, say func(*pb.CacheReply) error, landed func(context.Context) ([]byte, error)) error {
			f := s.fleet.Load()
			if f == nil {
				return errNotYet
			}
			k, err := cacheKey(in.Key)
			if err != nil {
				return err
			}
			return f.Answer(ctx, fleet.Question{
				Key: k, Wait: min(time.Duration(in.Wait), maxCacheWait), Created: ledger.Instant(in.Created),
				Stale: in.Stale, Fresh: in.Fresh, Epoch: semcache.Epoch(in.Epoch),
			}, cacheSide{say, landed})
		},
		Put: func(in *pb.CachePutRequest) error {
			f := s.fleet.Load()
			if f == nil {
				return errNotYet
			}
			k, err := cacheKey(in.Key)
			if err != nil {
				return err
			}
			return f.Take(k, in.Entry)
		},
		Purge: func(in *pb.CachePurgeRequest) (*pb.CachePurgeReply, error) {
			f := s.fleet.Load()
			if f == nil {
				return nil, errNotYet
			}
			marks, err := readMarks(in.Purges)
			if err != nil {
				return nil, err
			}
			all, n, err := f.Exchange(marks)
			if err != nil {
				return nil, err
			}
			return &pb.CachePurgeReply{Purges: writeMarks(all), Deleted: int64(n)}, nil
		},
		Stats: func() map[string]int64 {
			f, t := s.fleet.Load(), s.tier.Load()
			if f == nil {
				return nil
			}
			return cacheCounts(t.Stats(), f.Stats())
		},
	}
}

// maxCacheWait bounds how long another node may wait here: as long as any request may
// ([proxy.Config].CoalesceWait).
const maxCacheWait = 10 * time.Minute

func cacheKey(b []byte) (k semcache.Key, err error) {
	if len(b) != len(k) {
		return k, fmt.Errorf("a key of %d bytes", len(b))
	}
	return semcache.Key(b), nil
}

// cacheSide implements fleet.Side.
type cacheSide struct {
	say    func(*pb.CacheReply) error
	landed func(context.Context) ([]byte, error)
}

// Say implements fleet.Side.
func (c cacheSide) Say(r fleet.Reply) error {
	return c.say(&pb.CacheReply{Verdict: pb.CacheVerdict(r.Verdict), Entry: r.Entry, Epoch: int64(r.Epoch)})
}

// Landed implements fleet.Side.
func (c cacheSide) Landed(ctx context.Context) ([]byte, error) {
	b, err := c.landed(ctx)
	if len(b) == 0 {
		b = nil
	}
	return b, err
}

// cacheCounts are the counts by the names that operators see.
func cacheCounts(c semcache.Stats, f fleet.Stats) map[string]int64 {
	return map[string]int64{
		"entries": c.Entries, "bytes": c.Bytes, "memory_bytes": c.FrontBytes, "tenants": int64(c.Tenants),
		"hits_memory": int64(c.FrontHits), "hits_disk": int64(c.StoreHits), "misses": int64(c.Misses), "expired": int64(c.Expired),
		"damaged": int64(c.Damaged + f.Damaged), "faults": int64(c.Faults), "fills": int64(c.Fills), "too_large": int64(c.TooLarge),
		"late": int64(c.Late), "evicted": int64(c.Evicted), "renewed": int64(c.Renewed), "purged": int64(c.Purged),
		"led": int64(f.Flights.Led), "coalesced": int64(f.Flights.Shared), "alone": int64(f.Flights.Alone),
		"peer_asked": int64(f.Asked), "peer_hits": int64(f.Hits), "peer_shared": int64(f.Shared), "peer_failed": int64(f.Failed),
		"peer_skipped": int64(f.Skipped), "peer_served": int64(f.Served), "peer_puts": int64(f.Puts), "peer_kept": int64(f.Kept),
		"nodes": int64(f.Nodes),
	}
}
