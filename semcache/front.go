package semcache

import "sync"

const (
	// shards keeps two requests seldom on one lock.
	shards = 16
	// windowPart is the part of a shard, in percent, that every answer goes through at
	// first, however often it was asked for; it adapts within windowLeast and windowMost.
	windowPart  = 10
	windowLeast = 1
	windowMost  = 80
	// protectedPart is the part of the rest, in percent, for what was asked for again
	// while it was there.
	protectedPart = 80
	// meanEntry is what an entry is taken to be, in bytes, where keys are counted.
	meanEntry = 4 << 10
)

// front is the part of the cache that is in memory. Each shard is a W-TinyLFU
// (Einziger, Friedman and Manes, 2017): a small window for what is new, and a main
// part, of which an answer that leaves the window takes the place of others only if
// it was asked for more often than all of them together (Einziger, Eytan, Friedman and
// Manes, "Lightweight Robust Size Aware Cache Management", 2022).
//
// Of tenants that have more than their share of a shard, others may take room in any
// case, and they take none from those that have less.
type front [shards]shard

type shard struct {
	mu      sync.Mutex
	most    int64 // bytes
	share   int64 // of most, for a tenant
	at      map[Key]*seat
	parts   [3]part
	tenants map[tenant]int64 // bytes
	asked   sketch
	climb   climb
}

// The parts of a shard.
const (
	window = iota
	probation
	protected
)

// part is a list in order of use.
type part struct {
	most  int64 // bytes; of probation and protected together in probation
	bytes int64
	ends  seat // next is the first to go, prev the last
}

// seat is an entry's place in a part.
type seat struct {
	key        Key
	entry      *Entry
	in         int
	next, prev *seat
}

func newFront(cfg *Config) *front {
	f := new(front)
	for i := range f {
		s := &f[i]
		s.most = cfg.MemoryBytes / shards
		s.share = s.most / 100 * int64(cfg.TenantShare)
		s.at, s.tenants = map[Key]*seat{}, map[tenant]int64{}
		s.asked = newSketch(max(cfg.MemoryBytes, cfg.StoreBytes) / meanEntry / shards)
		s.climb.step = s.most * stepPart / 100
		s.divide(s.most * windowPart / 100)
		for p := range s.parts {
			ends := &s.parts[p].ends
			ends.next, ends.prev = ends, ends
		}
	}
	return f
}

// shard picks by a byte that depends on the whole request.
func (f *front) shard(k *Key) *shard { return &f[k[tenantPrefix]%shards] }

// looking says why an entry is looked at.
type looking uint8

const (
	asking  looking = iota // the key was asked for, which is noted
	peeking                // it was not
)

// look returns the entry of the key, nil if there is none.
func (f *front) look(k *Key, how looking) *Entry {
	s := f.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if how == peeking {
		if p := s.at[*k]; p != nil {
			return p.entry
		}
		return nil
	}
	s.asked.add(k)
	p := s.at[*k]
	if s.climb.seen(p != nil, len(s.at)) {
		s.adapt()
	}
	if p == nil {
		return nil
	}
	if p.in == window {
		s.move(p, window)
		return p.entry
	}
	s.move(p, protected)
	for q := &s.parts[protected]; q.bytes > q.most; {
		s.move(q.ends.next, probation)
	}
	return p.entry
}

// wanted says whether the key was asked for since its answer was made, of late.
func (f *front) wanted(k *Key) bool {
	s := f.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked.count(k) > 1
}

// put adds or replaces the entry, unless it is larger than an eighth of the shard.
func (f *front) put(k *Key, e *Entry) {
	s := f.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(s.at[*k])
	if e.size() > s.most/8 {
		return
	}
	p := &seat{key: *k, entry: e}
	s.at[*k] = p
	s.tenants[k.tenant()] += e.size()
	s.link(p, window)
	for w := &s.parts[window]; w.bytes > w.most; {
		s.leaveWindow(w.ends.next)
	}
}

// leaveWindow moves a seat to the main part, or removes it.
func (s *shard) leaveWindow(p *seat) {
	need := s.parts[probation].bytes + s.parts[protected].bytes + p.entry.size() - s.parts[probation].most
	var victims []*seat
	against := 0
	for _, part := range [...]int{probation, protected} {
		ends := &s.parts[part].ends
		for v := ends.next; v != ends && need > 0; v = v.next {
			switch mine, theirs := s.tenants[p.key.tenant()] > s.share, s.tenants[v.key.tenant()] > s.share; {
			case p.key.tenant() == v.key.tenant() || mine && theirs:
				against += s.asked.count(&v.key)
			case mine:
				continue // it is not theirs to give
			case !theirs:
				against += s.asked.count(&v.key)
			}
			need -= v.entry.size()
			victims = append(victims, v)
			if against > counterMost {
				break // no count is larger
			}
		}
	}
	if need > 0 || against > 0 && s.asked.count(&p.key) <= against {
		s.remove(p)
		return
	}
	for _, v := range victims {
		s.remove(v)
	}
	s.move(p, probation)
}

func (s *shard) move(p *seat, to int) {
	s.unlink(p)
	s.link(p, to)
}

func (s *shard) link(p *seat, to int) {
	q := &s.parts[to]
	p.in, p.next, p.prev = to, &q.ends, q.ends.prev
	p.prev.next, p.next.prev = p, p
	q.bytes += p.entry.size()
}

func (s *shard) unlink(p *seat) {
	s.parts[p.in].bytes -= p.entry.size()
	p.prev.next, p.next.prev = p.next, p.prev
}

func (s *shard) remove(p *seat) {
	if p == nil {
		return
	}
	delete(s.at, p.key)
	s.unlink(p)
	t := p.key.tenant()
	if s.tenants[t] -= p.entry.size(); s.tenants[t] == 0 {
		delete(s.tenants, t)
	}
}

func (f *front) remove(k *Key) {
	s := f.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(s.at[*k])
}

// removeIf removes every entry that matches.
func (f *front) removeIf(match func(*Key, *Entry) bool) {
	for i := range f {
		s := &f[i]
		s.mu.Lock()
		for _, p := range s.at {
			if match(&p.key, p.entry) {
				s.remove(p)
			}
		}
		s.mu.Unlock()
	}
}

func (f *front) bytes() (n int64) {
	for i := range f {
		s := &f[i]
		s.mu.Lock()
		for p := range s.parts {
			n += s.parts[p].bytes
		}
		s.mu.Unlock()
	}
	return n
}
