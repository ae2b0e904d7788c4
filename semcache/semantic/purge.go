package semantic

import (
	"context"
	"encoding/binary"
	"fmt"
)

// ForgetAnswer removes the entries of an answer that the exact cache has removed.
func (t *Tier) ForgetAnswer(key [32]byte) {
	n := t.known(tenantID(key[:len(tenantID{})]))
	if n == nil {
		return
	}
	t.eraseSeats(n.id, n.removeAnswer(key))
}

// Purge removes entries and their answers, here and from the shared tier. A zero Which
// means everything; a tenant alone, everything of the tenant's. It returns how many
// there were here.
func (t *Tier) Purge(ctx context.Context, w Which) (removed int, err error) {
	for _, n := range t.all() {
		if w.Tenant != "" && n.id != tenantOf(w.Tenant) {
			continue
		}
		removed += t.purge(n, func(p *seat) bool {
			return (w.Scope == Scope{} || p.scope == w.Scope) && (w.ID == EntryID{} || p.id == w.ID)
		})
	}
	if t.shared != nil {
		if err := t.shared.Forget(ctx, w); err != nil {
			return removed, fmt.Errorf("purge the shared tier: %w", err)
		}
	}
	return removed, nil
}

// PurgeEntry removes the entries that usage records name so: by the first eight bytes
// of an id.
func (t *Tier) PurgeEntry(ctx context.Context, name uint64) (removed int, err error) {
	type at struct {
		Scope
		EntryID
	}
	var gone []at
	for _, n := range t.all() {
		removed += t.purge(n, func(p *seat) bool {
			match := p.id.Short() == name
			if match {
				gone = append(gone, at{p.scope, p.id})
			}
			return match
		})
	}
	for _, g := range gone {
		if t.shared == nil {
			break
		}
		// The scope tells whose it is.
		if err := t.shared.Forget(ctx, Which{Scope: g.Scope, ID: g.EntryID}); err != nil {
			return removed, fmt.Errorf("purge the shared tier: %w", err)
		}
	}
	return removed, nil
}

// Short is an entry's name in usage records.
func (id EntryID) Short() uint64 { return binary.BigEndian.Uint64(id[:]) }

func (t *Tier) purge(n *tenancy, match func(*seat) bool) int {
	gone := n.removeIf(match)
	t.eraseSeats(n.id, gone)
	for _, p := range gone {
		t.answers.Forget(p.answer)
	}
	return len(gone)
}

// forgetShared removes points that are not to be found any more. A fault leaves them to
// be found by nodes that do not know better, until their time is over.
func (t *Tier) forgetShared(ctx context.Context, w Which) {
	if t.shared == nil {
		return
	}
	if err := t.shared.Forget(ctx, w); err != nil {
		t.count.add(countSharedFault)
		t.log.Warn("semantic cache: a quarantined entry stays in the shared tier until it expires", "error", err)
	}
}
