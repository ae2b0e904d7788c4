package semcache

import "sync"

// shares is what each tenant has on disk, in bytes, approximately. It has at most as
// many tenants as there are entries.
type shares struct {
	mu    sync.Mutex
	bytes map[tenant]int64
}

func (s *shares) add(k *Key, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes[k.tenant()] += n; s.bytes[k.tenant()] <= 0 {
		delete(s.bytes, k.tenant())
	}
}

func (s *shares) of(k *Key) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes[k.tenant()]
}

// beyond says whether some tenant, and not the only one, has more than that.
func (s *shares) beyond(share int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.bytes) < 2 {
		return false
	}
	for _, n := range s.bytes {
		if n > share {
			return true
		}
	}
	return false
}

// set puts what was counted in place of what was added up.
func (s *shares) set(bytes map[tenant]int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes = bytes
}

// tenants is how many there are.
func (s *shares) tenants() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.bytes)
}
