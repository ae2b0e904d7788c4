package home

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"purser/internal/idempotency"
	"purser/internal/store"
	"purser/ledger"
)

// gone is when members were first seen to be removed, by the later clock.
type gone struct {
	mu   sync.RWMutex
	seen map[string]ledger.Instant
}

const instantVersion = 1

func appendInstant(at ledger.Instant) []byte {
	return binary.BigEndian.AppendUint64([]byte{instantVersion}, uint64(at))
}

func readInstant(b []byte) (ledger.Instant, error) {
	if len(b) != 9 || b[0] != instantVersion {
		return 0, idempotency.ErrMalformed
	}
	return ledger.Instant(binary.BigEndian.Uint64(b[1:])), nil
}

func (h *Home) loadGone() error {
	h.gone.seen = map[string]ledger.Instant{}
	return h.each(roomGone, func(name, value []byte) error {
		at, err := readInstant(value)
		h.gone.seen[string(name)] = at
		return err
	})
}

// SeenRemoved takes down that a member is removed, once.
func (h *Home) SeenRemoved(node string) error {
	h.gone.mu.Lock()
	defer h.gone.mu.Unlock()
	if _, known := h.gone.seen[node]; known {
		return nil
	}
	at := h.times().High
	b := h.store.NewBatch()
	if err := b.Set(place(roomGone, []byte(node)), appendInstant(at), nil); err != nil {
		return errors.Join(err, b.Close())
	}
	if err := h.store.Apply(b, store.Buffered); err != nil {
		return fmt.Errorf("noting that node %s is removed: %w", node, err)
	}
	h.gone.seen[node] = at
	return nil
}

// Forgotten says whether a member was removed so long ago that nothing it granted counts
// in a scope that began at since.
func (h *Home) Forgotten(node string, since ledger.Instant) bool {
	h.gone.mu.RLock()
	defer h.gone.mu.RUnlock()
	at, known := h.gone.seen[node]
	return known && (at < since || h.times().Low-at >= ledger.Instant(idempotency.Season))
}

func (h *Home) loadClosed() error {
	b, err := h.get(place(roomClosed, nil))
	if b == nil || err != nil {
		return err
	}
	at, err := readInstant(b)
	h.closedUntil.Store(int64(at))
	return err
}

// RolledBack says that this store has forgotten what it had: it grants nothing until
// all that it may have granted before is over.
func (h *Home) RolledBack() error {
	until := h.times().High + ledger.Instant(idempotency.Season)
	b := h.store.NewBatch()
	if err := b.Set(place(roomClosed, nil), appendInstant(until), nil); err != nil {
		return errors.Join(err, b.Close())
	}
	if err := h.store.Apply(b, store.Synced); err != nil {
		return fmt.Errorf("closing the idempotency keys of a store that was rolled back: %w", err)
	}
	h.closedUntil.Store(int64(until))
	return nil
}
