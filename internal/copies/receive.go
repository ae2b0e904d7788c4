package copies

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"purser/internal/store"
)

const (
	// leastRoom is what a disk must have free to take copies: a node's own records come
	// first, and a full disk ends it.
	leastRoom = 256 << 20
	// roomEvery is how often the disk is asked.
	roomEvery = time.Second
)

// Receive keeps what another node sends of its own, or of a node that is gone, and returns
// the answer for it. from is the sending node. When it returns, everything is on disk.
func (c *Copies) Receive(_ context.Context, from string, body []byte) ([]byte, error) {
	p, err := decodePush(body)
	if err != nil {
		return nil, err
	}
	switch {
	case p.origin == "" || len(p.origin) > maxOrigin:
		return nil, fmt.Errorf("copies of a node that has no name, or one of %d bytes", len(p.origin))
	case p.origin == c.cfg.Self:
		return []byte{form, kept}, nil // it has its own
	case p.origin != from && !c.gone(p.origin):
		return nil, fmt.Errorf("node %s sends copies of %s, which is not gone and sends its own", from, p.origin)
	}
	c.receiving.Lock()
	defer c.receiving.Unlock()
	if !p.begin {
		v, err := c.get(markKey(p.origin, from))
		if err != nil {
			return nil, err
		}
		// What cannot be read is sent again, as is what is not there.
		if m, err := decodeMark(v); err != nil || m.token != p.token {
			return []byte{form, unknown}, nil
		}
	}
	if len(p.items) > 0 && !c.room() {
		return []byte{form, full}, nil
	}
	if err := c.keep(from, &p); err != nil {
		return nil, err
	}
	return []byte{form, kept}, nil
}

// keep writes a push. What is known of the copies is written last, and brings what was
// written before to disk with it.
func (c *Copies) keep(from string, p *push) error {
	kinds := map[*Part][]Item{}
	for _, it := range p.items {
		part := c.part(it.Key)
		if part == nil {
			return fmt.Errorf("a copy under %x is of a kind that this build does not keep", it.Key)
		}
		kinds[part] = append(kinds[part], Item{it.Key[len(part.Own):], it.Value})
	}
	for part, items := range kinds {
		if err := part.Keep(p.origin, items); err != nil {
			return fmt.Errorf("keep copies of %s: %w", p.origin, err)
		}
	}
	return c.set(markKey(p.origin, from), appendMark(nil, &mark{p.token, p.state}), store.Synced)
}

// part is that of a key; nil where there is none.
func (c *Copies) part(key []byte) *Part {
	for i := range c.cfg.Parts {
		if bytes.HasPrefix(key, c.cfg.Parts[i].Own) {
			return &c.cfg.Parts[i]
		}
	}
	return nil
}

// gone says that the directory knows a node as one that was removed.
func (c *Copies) gone(node string) bool {
	for _, n := range c.cfg.Nodes() {
		if n.ID == node {
			return n.Gone
		}
	}
	return false
}

// room says whether the disk has some for copies. It is called with receiving held.
func (c *Copies) room() bool {
	if at := time.Now(); at.Sub(c.roomAt) > roomEvery {
		free, known := c.cfg.Store.Free()
		c.roomAt, c.hasRoom = at, !known || free >= leastRoom
	}
	return c.hasRoom
}

// Forget has the senders of an origin's copies send them again: those that are there cannot
// be read.
func (c *Copies) Forget(origin string) error {
	c.receiving.Lock()
	defer c.receiving.Unlock()
	b := c.cfg.Store.NewBatch()
	prefix := markPrefix(origin)
	if err := b.DeleteRange(prefix, after(prefix), nil); err != nil {
		return errors.Join(fmt.Errorf("forget the copies of %s: %w", origin, err), b.Close())
	}
	return c.cfg.Store.Apply(b, store.Buffered)
}
