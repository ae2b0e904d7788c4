package semantic

import (
	"container/list"
	"fmt"
	"sync"

	"purser/ledger"
	"purser/semcache/decide"
	"purser/semcache/index"
)

// seat is an entry's place in memory: all of it but the question's text and vector. The
// vector is in the index of the scope.
type seat struct {
	scope            Scope
	id               EntryID
	serial           uint64 // in the index
	answer           [32]byte
	created, expires ledger.Instant
	order            *list.Element // in the tenancy's

	history decide.History // guarded by the tenancy's lock
}

// segment is the entries of one scope.
type segment struct {
	vectors *index.Index
	byID    map[EntryID]*seat
	serials map[uint64]*seat
}

// tenancy is the entries of one tenant. Entries of two tenants share no map, no index
// and no lock.
type tenancy struct {
	id tenantID

	mu       sync.RWMutex
	scopes   map[Scope]*segment
	byAnswer map[[32]byte][]*seat // one, but where scopes differ that have one answer
	order    *list.List           // of *seat, the last used first
	serial   uint64
	inserts  bucket
}

func newTenancy(id tenantID) *tenancy {
	return &tenancy{id: id, scopes: map[Scope]*segment{}, byAnswer: map[[32]byte][]*seat{}, order: list.New()}
}

// bucket limits how many entries a tenant may make in a time.
type bucket struct {
	left float64
	at   ledger.Instant
}

// take says whether there is room for one more, of perMinute.
func (b *bucket) take(perMinute int, now ledger.Instant) bool {
	most := float64(perMinute)
	if b.at == 0 {
		b.left = most
	} else if now > b.at {
		b.left = min(most, b.left+most*float64(now-b.at)/float64(60*ledger.Second))
	}
	b.at = max(b.at, now)
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

func (t *tenancy) len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.order.Len()
}

// near is a seat that was found.
type near struct {
	*seat
	similarity float32
	history    decide.History // as it was when it was found
}

// find returns the entry of that id.
func (t *tenancy) find(s *Scope, id *EntryID) (near, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if g := t.scopes[*s]; g != nil {
		if p := g.byID[*id]; p != nil {
			return near{p, 1, p.history}, true
		}
	}
	return near{}, false
}

// search returns up to k entries of the scope above the floor, the nearest first, and
// whether the scope has any. The lock is not held while the vectors are compared.
func (t *tenancy) search(s *Scope, q []int8, scale float32, k int, floor float32) (found []near, any bool) {
	t.mu.RLock()
	g := t.scopes[*s]
	t.mu.RUnlock()
	if g == nil {
		return nil, false
	}
	hits := g.vectors.Search(q, scale, k, floor)
	found = make([]near, 0, len(hits))
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, h := range hits {
		if p := g.serials[h.ID]; p != nil {
			found = append(found, near{p, h.Score, p.history})
		}
	}
	return found, true
}

// used puts an entry to the front of the order.
func (t *tenancy) used(p *seat) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p.order != nil {
		t.order.MoveToFront(p.order)
	}
}

// put adds or replaces the entry of that id. What was learned of one that it replaces
// is forgotten: its answer is another. The seats it returns had to go: the one that was
// replaced is not among them.
func (t *tenancy) put(s Scope, id EntryID, e *entry, most, mostInScope int) (replaced bool, gone []*seat) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.scopes[s]
	if g == nil {
		g = &segment{vectors: index.New(len(e.row)), byID: map[EntryID]*seat{}, serials: map[uint64]*seat{}}
		t.scopes[s] = g
	}
	if old := g.byID[id]; old != nil {
		replaced = true
		t.removeLocked(old, g)
	}
	for len(g.byID) >= mostInScope {
		gone = append(gone, t.evictLocked(g))
	}
	for t.order.Len() >= most {
		gone = append(gone, t.evictLocked(nil))
	}
	t.scopes[s] = g // eviction may have emptied it
	t.serial++
	p := &seat{scope: s, id: id, serial: t.serial, answer: e.answer, created: e.created, expires: e.expires}
	p.order = t.order.PushFront(p)
	if err := g.vectors.Add(p.serial, e.row, e.scale); err != nil {
		panic(fmt.Sprintf("semantic: a row that was checked: %v", err))
	}
	g.byID[id], g.serials[p.serial] = p, p
	t.byAnswer[p.answer] = append(t.byAnswer[p.answer], p)
	return replaced, gone
}

// evictLocked removes the entry that was used least lately: of a segment, or of all.
func (t *tenancy) evictLocked(of *segment) *seat {
	for e := t.order.Back(); e != nil; e = e.Prev() {
		p := e.Value.(*seat)
		g := t.scopes[p.scope]
		if of == nil || g == of {
			t.removeLocked(p, g)
			return p
		}
	}
	panic("semantic: nothing to evict where there is too much")
}

// removeLocked takes a seat out of its segment, and the segment with its last.
func (t *tenancy) removeLocked(p *seat, g *segment) {
	g.vectors.Remove(p.serial)
	delete(g.byID, p.id)
	delete(g.serials, p.serial)
	if len(g.byID) == 0 {
		delete(t.scopes, p.scope)
	}
	t.order.Remove(p.order)
	p.order = nil
	others := t.byAnswer[p.answer]
	for i, o := range others {
		if o == p {
			others = append(others[:i:i], others[i+1:]...)
			break
		}
	}
	if t.byAnswer[p.answer] = others; len(others) == 0 {
		delete(t.byAnswer, p.answer)
	}
}

// remove takes out the seats that match, of a scope or of all. It looks at every one.
func (t *tenancy) removeIf(match func(*seat) bool) (gone []*seat) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for e := t.order.Front(); e != nil; {
		p := e.Value.(*seat)
		e = e.Next()
		if match(p) {
			t.removeLocked(p, t.scopes[p.scope])
			gone = append(gone, p)
		}
	}
	return gone
}

// removeAnswer takes out the entries of an answer, and removeSeat one.
func (t *tenancy) removeAnswer(key [32]byte) (gone []*seat) {
	t.mu.Lock()
	defer t.mu.Unlock()
	gone = append(gone, t.byAnswer[key]...)
	for _, p := range gone {
		t.removeLocked(p, t.scopes[p.scope])
	}
	return gone
}

func (t *tenancy) removeSeat(p *seat) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p.order == nil {
		return false
	}
	t.removeLocked(p, t.scopes[p.scope])
	return true
}

// shed takes out the n entries that were used least lately.
func (t *tenancy) shed(n int) (gone []*seat) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for ; n > 0 && t.order.Len() > 0; n-- {
		gone = append(gone, t.evictLocked(nil))
	}
	return gone
}

// learn changes what is known of an entry, if it is still there, and returns it.
func (t *tenancy) learn(s *Scope, id *EntryID, change func(decide.History) decide.History) (decide.History, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.scopes[*s]
	if g == nil || g.byID[*id] == nil {
		return decide.History{}, false
	}
	p := g.byID[*id]
	p.history = change(p.history)
	return p.history, true
}

// admit says whether the tenant may make one more entry now.
func (t *tenancy) admit(perMinute int, now ledger.Instant) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.inserts.take(perMinute, now)
}
