package node

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"purser/internal/directory"
	"purser/ledger"
	"purser/raftfsm"
)

const (
	// touchEvery is how often a node says which keys were used, and so how exact that
	// is known.
	touchEvery = time.Minute
	// touchWait bounds saying so.
	touchWait = 10 * time.Second
	// maxTouches bounds the commands of one time; the other keys are said the next.
	maxTouches = 64
)

// usedKeys is which keys this node has seen in use: at most as many as there are keys.
// It is kept over changes of the directory.
type usedKeys struct {
	all sync.Map // directory.KeyID to *usedKey
}

// usedKey is one key's last use.
type usedKey struct {
	minute atomic.Int64 // ledger.Instant, a whole minute
	said   int64        // the minute that was said last; of the one who says it
}

func (u *usedKeys) of(id directory.KeyID) *usedKey {
	v, ok := u.all.Load(id)
	if !ok {
		v, _ = u.all.LoadOrStore(id, &usedKey{})
	}
	return v.(*usedKey)
}

// note does not wait, and writes once in a minute.
func (k *usedKey) note(at ledger.Instant) {
	if minute := int64(at - at%ledger.Minute); k.minute.Load() < minute {
		k.minute.Store(minute)
	}
}

// due are commands that say what was not said yet. Keys that are gone are forgotten.
func (u *usedKeys) due(s *directory.State) (out []directory.TouchKeys) {
	byMinute := map[int64][]directory.KeyID{}
	u.all.Range(func(id, v any) bool {
		k, key := v.(*usedKey), id.(directory.KeyID)
		now, is := s.Key(key)
		minute := k.minute.Load()
		switch {
		case !is:
			u.all.Delete(id)
		case minute > k.said && ledger.Instant(minute) > now.LastUsed:
			byMinute[minute] = append(byMinute[minute], key)
		}
		return true
	})
	for minute, ids := range byMinute {
		slices.Sort(ids)
		for part := range slices.Chunk(ids, directory.MaxTouched) {
			out = append(out, directory.TouchKeys{At: ledger.Instant(minute), IDs: part})
		}
	}
	slices.SortFunc(out, func(a, b directory.TouchKeys) int { return int((a.At - b.At) / ledger.Minute) })
	return out[:min(len(out), maxTouches)]
}

// said notes that a command was carried out.
func (u *usedKeys) said(c directory.TouchKeys) {
	for _, id := range c.IDs {
		if v, ok := u.all.Load(id); ok {
			v.(*usedKey).said = int64(c.At)
		}
	}
}

// touchKeys says each minute which keys were used, until ctx ends. Requests do not
// wait for it, and what could not be said is said the next time.
func (n *Node) touchKeys(ctx context.Context) {
	every := time.NewTicker(touchEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		if err := n.sayUsed(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, raftfsm.ErrNotReadable) {
			n.log.Warn("when keys were last used could not be said", "error", err)
		}
	}
}

func (n *Node) sayUsed(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, touchWait)
	defer cancel()
	for _, c := range n.keys.used.due(n.fsm.Directory()) {
		if _, err := n.proposer.ProposeDirectory(ctx, c); err != nil {
			return err
		}
		n.keys.used.said(c)
	}
	return nil
}
