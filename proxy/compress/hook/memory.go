package hook

import (
	"container/list"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"sync"
)

type key [sha256.Size]byte

// keyOf names an answer: the scope's length comes before it, so that no two are alike.
func keyOf(scope, text string, ratio float64) (k key) {
	h := sha256.New()
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], math.Float64bits(ratio))
	binary.BigEndian.PutUint64(b[8:], uint64(len(scope)))
	h.Write(b[:])
	h.Write([]byte(scope))
	h.Write([]byte(text))
	h.Sum(k[:0])
	return k
}

// memory has answers, up to a number of bytes. The ones not asked for longest go first.
type memory struct {
	mu    sync.Mutex
	most  int
	size  int
	byKey map[key]*list.Element
	order *list.List // of *entry, the newest in front
}

type entry struct {
	key key
	to  string
}

// overhead is about what an entry takes beside its text.
const overhead = 200

func newMemory(most int) *memory {
	return &memory{most: most, byKey: map[key]*list.Element{}, order: list.New()}
}

func (m *memory) get(k key) (string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.byKey[k]
	if !ok {
		return "", false
	}
	m.order.MoveToFront(e)
	return e.Value.(*entry).to, true
}

func (m *memory) put(k key, to string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.byKey[k]; ok || len(to)+overhead > m.most {
		return
	}
	m.byKey[k] = m.order.PushFront(&entry{k, to})
	m.size += len(to) + overhead
	for m.size > m.most {
		last := m.order.Back()
		old := m.order.Remove(last).(*entry)
		delete(m.byKey, old.key)
		m.size -= len(old.to) + overhead
	}
}
