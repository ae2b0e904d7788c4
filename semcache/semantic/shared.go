package semantic

import (
	"context"

	"purser/semcache/decide"
)

// elsewhere looks into the tier that nodes share.
func (l *look) elsewhere(ctx context.Context) (f Found, done bool) {
	t, v := l.t, l.visit
	ctx, cancel := context.WithTimeout(ctx, t.cfg.SharedWait)
	defer cancel()
	list, err := t.shared.Nearest(ctx, Query{
		Tenant: v.name, Scope: v.scope, Vector: v.vector, K: neighbours, Floor: float32(t.cfg.Floor), Now: l.now,
	})
	if err != nil {
		t.count.add(countSharedFault)
		return Found{}, false
	}
	own := t.known(v.tenant)
	for _, n := range list {
		e, err := decodeEntry(n.Payload, t.sealed, appendBound(nil, &v.scope, &n.ID))
		if err != nil || e.space != t.space || len(e.row) != t.embedder.Dim() {
			t.count.add(countDamaged)
			continue
		}
		// Similarity is this node's word, not the tier's: a stale or confused one must not
		// decide what is near.
		c := near{&seat{scope: v.scope, id: n.ID, answer: e.answer, created: e.created, expires: min(e.expires, n.Expires)}, e.similarity(v.vector), decide.History{}}
		if own != nil {
			if _, here := own.find(&v.scope, &n.ID); here {
				continue // it was judged with what is known of it here
			}
		}
		var one Found
		if n.ID == v.id {
			one, done = l.same(c)
		} else {
			if float64(c.similarity) <= t.cfg.Floor {
				continue
			}
			one, done = l.judge(&c, decide.NoMargin, func() *decide.View { return t.view(e.text) }, true)
		}
		if done {
			one.at = nil
			if l.trace == nil {
				t.count.add(countSharedFound)
				t.later(func() { t.adopt(v, n.ID, e) })
			}
			return one, true
		}
		if f.Reason == "" {
			f = one
		}
	}
	f.at = nil
	return f, false
}

// adopt makes an entry of the shared tier one of this node's, unless there is one: that
// may be newer, and more is known of it.
func (t *Tier) adopt(v *Visit, id EntryID, e *entry) {
	if n := t.known(v.tenant); n != nil {
		if _, here := n.find(&v.scope, &id); here {
			return
		}
	}
	t.place(v, id, e)
}
