package semcache

import "sync"

// shards keeps two requests seldom on one lock.
const shards = 16

// front is the part of the cache that is in memory: a CLOCK of bounded size in
// each shard.
type front [shards]shard

type shard struct {
	mu    sync.Mutex
	most  int64 // bytes
	bytes int64
	at    map[Key]*seat
	hand  *seat // of the ring; nil when empty
}

// seat is an entry's place in the ring.
type seat struct {
	key        Key
	entry      *Entry
	used       bool // since the hand came by
	next, prev *seat
}

func newFront(bytes int64) *front {
	f := new(front)
	for i := range f {
		f[i].most, f[i].at = bytes/shards, make(map[Key]*seat)
	}
	return f
}

// shard picks by a byte that depends on the whole request.
func (f *front) shard(k *Key) *shard { return &f[k[tenantPrefix]%shards] }

func (f *front) get(k *Key) *Entry {
	s := f.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.at[*k]
	if p == nil {
		return nil
	}
	p.used = true
	return p.entry
}

// used says whether the key is here and was asked for lately.
func (f *front) used(k *Key) bool {
	s := f.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.at[*k]
	return p != nil && p.used
}

// put adds or replaces the entry, unless it is larger than an eighth of the shard.
func (f *front) put(k *Key, e *Entry) {
	s := f.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removeLocked(s.at[*k])
	if e.size() > s.most/8 {
		return
	}
	for s.bytes+e.size() > s.most {
		s.evictLocked()
	}
	p := &seat{key: *k, entry: e}
	s.at[*k] = p
	s.bytes += e.size()
	if s.hand == nil {
		p.next, p.prev, s.hand = p, p, p
		return
	}
	// Behind the hand: the last that it comes to.
	p.next, p.prev = s.hand, s.hand.prev
	p.prev.next, p.next.prev = p, p
}

// evictLocked removes the first seat under the hand that was not used since the
// hand came by last. It ends after two rounds at most.
func (s *shard) evictLocked() {
	for s.hand.used {
		s.hand.used = false
		s.hand = s.hand.next
	}
	s.removeLocked(s.hand)
}

func (s *shard) removeLocked(p *seat) {
	if p == nil {
		return
	}
	delete(s.at, p.key)
	s.bytes -= p.entry.size()
	if p.next == p {
		s.hand = nil
		return
	}
	p.prev.next, p.next.prev = p.next, p.prev
	if s.hand == p {
		s.hand = p.next
	}
}

func (f *front) remove(k *Key) {
	s := f.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removeLocked(s.at[*k])
}

// removeIf removes every entry whose key matches.
func (f *front) removeIf(match func(*Key) bool) {
	for i := range f {
		s := &f[i]
		s.mu.Lock()
		for _, p := range s.at {
			if match(&p.key) {
				s.removeLocked(p)
			}
		}
		s.mu.Unlock()
	}
}

func (f *front) bytes() (n int64) {
	for i := range f {
		f[i].mu.Lock()
		n += f[i].bytes
		f[i].mu.Unlock()
	}
	return n
}
