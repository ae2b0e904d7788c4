package copies

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// sendAll sends the next piece of everything that an origin has written, unless the peer has
// it all, and returns when the one after may go.
func (c *Copies) sendAll(ctx context.Context, co *course, origin string, whole func() state) (time.Duration, error) {
	if co.done {
		return lookEvery, nil
	}
	if wait := time.Until(c.sender.paced); wait > 0 {
		return wait, nil
	}
	items, next, err := c.piece(origin, co.next)
	if err != nil {
		return lookEvery, err
	}
	p := &push{origin: origin, items: items, state: state{upto: whole().upto}}
	if next == nil {
		p.state = whole()
	}
	if err := c.tell(ctx, co, p); err != nil {
		return lookEvery, err
	}
	co.next, co.done = next, next == nil
	if err := c.save(origin, co); err != nil {
		return lookEvery, err
	}
	if co.done {
		c.cfg.Log.Info("copies are whole", told(origin, co)...)
		return lookEvery, nil
	}
	size := 0
	for _, it := range items {
		size += len(it.Key) + len(it.Value)
	}
	pace := time.Duration(size) * time.Second / againRate
	c.sender.paced = time.Now().Add(pace)
	return pace, nil
}

// piece reads things of an origin from a key on, as the origin has it, and returns the key
// after; nil at the end.
func (c *Copies) piece(origin string, from []byte) (items []Item, next []byte, err error) {
	size := 0
	for i := range c.cfg.Parts {
		part := &c.cfg.Parts[i]
		within := bytes.HasPrefix(from, part.Own)
		if !within && bytes.Compare(from, part.Own) > 0 {
			continue
		}
		prefix := part.Own
		if origin != c.cfg.Self {
			prefix = part.Shelf(origin)
		}
		lower := prefix
		if within {
			lower = slices.Concat(prefix, from[len(part.Own):])
		}
		it, err := c.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: after(prefix)})
		if err != nil {
			return nil, nil, fmt.Errorf("read what is copied: %w", err)
		}
		for ok := it.First(); ok; ok = it.Next() {
			key := slices.Concat(part.Own, it.Key()[len(prefix):])
			if len(items) == maxItems || size >= maxPushBytes {
				return items, key, it.Close()
			}
			v, err := it.ValueAndErr()
			if err != nil {
				return nil, nil, errors.Join(fmt.Errorf("read what is copied: %w", err), it.Close())
			}
			items = append(items, Item{key, append([]byte(nil), v...)})
			size += len(key) + len(v)
		}
		if err := errors.Join(it.Error(), it.Close()); err != nil {
			return nil, nil, fmt.Errorf("read what is copied: %w", err)
		}
	}
	return items, nil, nil
}

// passOn sends the next piece of the copies of nodes that are gone to where they have not
// been sent yet.
func (c *Copies) passOn(ctx context.Context, nodes []Node) (time.Duration, error) {
	held, err := c.Held()
	if err != nil {
		return lookEvery, err
	}
	gone := map[string]bool{}
	for _, n := range nodes {
		gone[n.ID] = n.Gone
	}
	for _, h := range held {
		peer := ""
		for _, id := range Rank(h.Origin, nodes) {
			if id != c.cfg.Self {
				peer = id
				break
			}
		}
		if !gone[h.Origin] || peer == "" {
			continue
		}
		whole := state{complete: h.Complete, sealed: h.Sealed, upto: h.Upto, incarnation: h.Incarnation}
		co, err := c.to(ctx, h.Origin, peer, whole)
		if err != nil {
			return lookEvery, err
		}
		if co.done {
			continue
		}
		return c.sendAll(ctx, co, h.Origin, func() state { return whole })
	}
	return lookEvery, nil
}
