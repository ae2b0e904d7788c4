package waste

// aging is a map of bounded size: when it is full it becomes the old one, and the old one
// is forgotten.
type aging[V any] struct {
	now, old map[uint64]V
	limit    int
}

func newAging[V any](limit int) aging[V] { return aging[V]{now: map[uint64]V{}, limit: limit} }

func (m *aging[V]) get(k uint64) (V, bool) {
	if v, ok := m.now[k]; ok {
		return v, true
	}
	v, ok := m.old[k]
	return v, ok
}

func (m *aging[V]) put(k uint64, v V) {
	if _, known := m.now[k]; !known && len(m.now) >= m.limit {
		m.now, m.old = make(map[uint64]V, m.limit), m.now
	}
	m.now[k] = v
}

// key is a hash of strings and numbers (FNV-1a).
type key uint64

const newKey key = 0xcbf29ce484222325

func (k key) text(s string) key {
	for i := range len(s) {
		k = (k ^ key(s[i])) * 0x100000001b3
	}
	return k.number(uint64(len(s)))
}

func (k key) number(n uint64) key {
	for range 8 {
		k = (k ^ key(n&0xff)) * 0x100000001b3
		n >>= 8
	}
	return k
}
