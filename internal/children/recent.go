package children

import (
	"container/list"
	"sync"
)

// recent is a bounded map that forgets what was not asked for longest. Safe for
// concurrent use.
type recent[K comparable, V any] struct {
	mu    sync.Mutex
	limit int
	at    map[K]*list.Element
	order list.List // of item, the latest first
}

type item[K comparable, V any] struct {
	key   K
	value V
}

func newRecent[K comparable, V any](limit int) *recent[K, V] {
	return &recent[K, V]{limit: limit, at: map[K]*list.Element{}}
}

func (r *recent[K, V]) get(key K) (value V, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.at[key]
	if e == nil {
		return value, false
	}
	r.order.MoveToFront(e)
	return e.Value.(item[K, V]).value, true
}

// put remembers a value, unless there is one: it returns that which counts.
func (r *recent[K, V]) put(key K, value V) V {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.at[key]; e != nil {
		return e.Value.(item[K, V]).value
	}
	r.at[key] = r.order.PushFront(item[K, V]{key, value})
	if r.order.Len() > r.limit {
		delete(r.at, r.order.Remove(r.order.Back()).(item[K, V]).key)
	}
	return value
}

func (r *recent[K, V]) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.order.Len()
}
