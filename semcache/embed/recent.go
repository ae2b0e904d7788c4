package embed

import (
	"container/list"
	"crypto/sha256"
	"sync"
)

// recent remembers vectors by the hash of their texts, those used last; the texts
// are not kept. Nil remembers nothing.
type recent struct {
	most int

	mu    sync.Mutex
	of    map[[sha256.Size]byte]*list.Element
	order *list.List // of remembered, the one used last in front
}

type remembered struct {
	text   [sha256.Size]byte
	vector []float32
}

// rememberedBytes is about what a vector takes beside its values.
const rememberedBytes = 200

func newRecent(bytes, dim int) *recent {
	most := bytes / (4*dim + rememberedBytes)
	if most < 1 {
		return nil
	}
	return &recent{most: most, of: map[[sha256.Size]byte]*list.Element{}, order: list.New()}
}

func (r *recent) get(dst []float32, text string) bool {
	if r == nil {
		return false
	}
	key := sha256.Sum256([]byte(text))
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.of[key]
	if e == nil {
		return false
	}
	r.order.MoveToFront(e)
	copy(dst, e.Value.(*remembered).vector)
	return true
}

func (r *recent) put(vector []float32, text string) {
	if r == nil {
		return
	}
	key := sha256.Sum256([]byte(text))
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of[key] != nil {
		return
	}
	r.of[key] = r.order.PushFront(&remembered{text: key, vector: append([]float32(nil), vector...)})
	for r.order.Len() > r.most {
		last := r.order.Remove(r.order.Back()).(*remembered)
		delete(r.of, last.text)
	}
}
