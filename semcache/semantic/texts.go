package semantic

import (
	"sync"

	"purser/semcache/decide"
)

// textKey names a prepared question.
type textKey struct {
	scope Scope
	id    EntryID
}

// texts holds questions ready for comparing: two generations, of which the older goes
// when the younger is full.
type texts struct {
	most int // of one generation

	mu         sync.Mutex
	young, old map[textKey]*decide.View
}

func (x *texts) get(k textKey) *decide.View {
	x.mu.Lock()
	defer x.mu.Unlock()
	if p := x.young[k]; p != nil {
		return p
	}
	p := x.old[k]
	if p != nil {
		x.putLocked(k, p)
	}
	return p
}

func (x *texts) put(k textKey, p *decide.View) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.putLocked(k, p)
}

func (x *texts) putLocked(k textKey, p *decide.View) {
	if len(x.young) >= x.most || x.young == nil {
		x.old, x.young = x.young, make(map[textKey]*decide.View)
	}
	x.young[k] = p
}

func (x *texts) remove(k textKey) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.young, k)
	delete(x.old, k)
}

// prepared gives an entry's question ready for comparing; nil if the entry is of no
// use.
func (t *Tier) prepared(tenant tenantID, s *Scope, id *EntryID) *decide.View {
	k := textKey{*s, *id}
	if p := t.texts.get(k); p != nil {
		return p
	}
	e := t.read(tenant, s, id)
	if e == nil {
		return nil
	}
	p := t.view(e.text)
	t.texts.put(k, p)
	return p
}
