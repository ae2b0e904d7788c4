package semantic

import (
	"errors"
	"fmt"

	"purser/internal/store"
	"purser/semcache/decide"

	"github.com/cockroachdb/pebble/v2"
)

// The rooms below the store's prefix; see the package comment of internal/store.
const (
	roomEntry   byte = 'e'
	roomHistory byte = 's'
	roomControl byte = 'c'
)

const entryKeyLen = 2 + len(tenantID{}) + len(Scope{}) + len(EntryID{})

func appendKey(b []byte, room byte, t tenantID, s *Scope, id *EntryID) []byte {
	b = append(append(b, store.PrefixSemantic, room), t[:]...)
	return append(append(b, s[:]...), id[:]...)
}

func parseKey(b []byte) (t tenantID, s Scope, id EntryID, ok bool) {
	if len(b) != entryKeyLen {
		return t, s, id, false
	}
	b = b[2:]
	b = b[copy(t[:], b):]
	b = b[copy(s[:], b):]
	copy(id[:], b)
	return t, s, id, true
}

// read gives the entry as it is stored; nil if there is none that can be used. One that
// is damaged is deleted.
func (t *Tier) read(tenant tenantID, s *Scope, id *EntryID) *entry {
	var buf [entryKeyLen]byte
	v, closer, err := t.store.DB().Get(appendKey(buf[:0], roomEntry, tenant, s, id))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil
	}
	if err != nil {
		t.fault("read an entry", err)
		return nil
	}
	e, err := decodeEntry(v, t.seal, appendBound(nil, s, id))
	if cerr := closer.Close(); cerr != nil {
		t.fault("read an entry", cerr)
	}
	if err != nil {
		t.count.add(countDamaged)
		t.erase(tenant, s, id)
		return nil
	}
	return e
}

// write stores an entry, and forgets what was learned of the one before it. It is
// buffered: an entry that a crash takes away is one that was never made.
func (t *Tier) write(tenant tenantID, s *Scope, id *EntryID, value []byte) {
	b := t.store.NewBatch()
	set(b, appendKey(nil, roomEntry, tenant, s, id), value)
	drop(b, appendKey(nil, roomHistory, tenant, s, id))
	t.apply(b, "write an entry")
}

// writeHistory stores what was learned of an entry.
func (t *Tier) writeHistory(tenant tenantID, s *Scope, id *EntryID, value []byte) {
	b := t.store.NewBatch()
	set(b, appendKey(nil, roomHistory, tenant, s, id), value)
	t.apply(b, "write what was learned of an entry")
}

// erase deletes what is stored of an entry.
func (t *Tier) erase(tenant tenantID, s *Scope, id *EntryID) {
	b := t.store.NewBatch()
	drop(b, appendKey(nil, roomEntry, tenant, s, id))
	drop(b, appendKey(nil, roomHistory, tenant, s, id))
	t.apply(b, "delete an entry")
}

// eraseSeats deletes what is stored, and held ready, of entries that have gone from
// their tenancy.
func (t *Tier) eraseSeats(tenant tenantID, gone []*seat) {
	if len(gone) == 0 {
		return
	}
	b := t.store.NewBatch()
	for _, p := range gone {
		t.texts.remove(textKey{p.scope, p.id})
		drop(b, appendKey(nil, roomEntry, tenant, &p.scope, &p.id))
		drop(b, appendKey(nil, roomHistory, tenant, &p.scope, &p.id))
	}
	t.apply(b, "delete entries")
	t.rows.Add(-int64(len(gone)))
}

// set and drop add to a batch, which fails for a batch that was applied alone.
func set(b *pebble.Batch, key, value []byte) {
	if err := b.Set(key, value, nil); err != nil {
		panic(fmt.Sprintf("semantic: add to a batch: %v", err))
	}
}

func drop(b *pebble.Batch, key []byte) {
	if err := b.Delete(key, nil); err != nil {
		panic(fmt.Sprintf("semantic: add to a batch: %v", err))
	}
}

func (t *Tier) apply(b *pebble.Batch, doing string) {
	if err := t.store.Apply(b, store.Buffered); err != nil {
		t.fault(doing, err)
	}
}

func (t *Tier) fault(doing string, err error) {
	t.count.add(countFault)
	t.log.Warn("semantic cache", "doing", doing, "error", err)
}

// each calls visit for every key of a room, in order. It keeps nothing of them.
func (t *Tier) each(room byte, visit func(key, value []byte)) error {
	it, err := t.store.DB().NewIter(&pebble.IterOptions{
		LowerBound: []byte{store.PrefixSemantic, room}, UpperBound: []byte{store.PrefixSemantic, room + 1},
	})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		visit(it.Key(), it.Value())
	}
	return errors.Join(it.Error(), it.Close())
}

// load makes the maps and indexes from what is stored. Entries whose time is over, that
// are damaged, or that another embedder's vectors are in, are deleted.
func (t *Tier) load() error {
	var useless [][]byte
	now, other := t.now(), 0
	err := t.each(roomEntry, func(key, value []byte) {
		tenant, s, id, ok := parseKey(key)
		var e *entry
		var err error
		if ok {
			e, err = decodeEntry(value, t.seal, appendBound(nil, &s, &id))
		}
		switch {
		case !ok || err != nil:
			t.count.add(countDamaged)
		case e.space != t.space || len(e.row) != t.embedder.Dim():
			t.count.add(countOtherSpace)
			other++
		case e.expires <= now || t.rows.Load() >= int64(t.cfg.Entries):
			t.count.add(countExpired)
		default:
			_, gone := t.tenant(tenant).put(s, id, e, t.cfg.TenantEntries, t.cfg.ScopeEntries)
			t.rows.Add(1)
			for _, p := range gone { // the bounds have become smaller
				useless = append(useless, appendKey(nil, roomEntry, tenant, &p.scope, &p.id))
				t.rows.Add(-1)
			}
			return
		}
		useless = append(useless, append([]byte(nil), key...))
	})
	if err != nil {
		return fmt.Errorf("read the semantic cache: %w", err)
	}
	if other > 0 {
		t.log.Info("entries of another embedder are deleted: what was asked before is asked anew", "entries", other, "embedder", t.embedder.ID())
	}
	err = t.each(roomHistory, func(key, value []byte) {
		tenant, s, id, ok := parseKey(key)
		h, err := decide.DecodeHistory(value)
		if ok = ok && err == nil; ok {
			_, ok = t.tenant(tenant).learn(&s, &id, func(decide.History) decide.History { return h })
		}
		if !ok {
			useless = append(useless, append([]byte(nil), key...))
		}
	})
	if err != nil {
		return fmt.Errorf("read what was learned of the semantic cache: %w", err)
	}
	b := t.store.NewBatch()
	for _, key := range useless {
		drop(b, key)
	}
	return t.store.Apply(b, store.Buffered)
}
