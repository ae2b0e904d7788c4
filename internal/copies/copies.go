package copies

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"purser/internal/store"
	"purser/ledger"
)

// Part is one kind of things that are kept on a peer, too.
type Part struct {
	// Own is what the keys of this node's things begin with. No part's begins with another's.
	Own []byte
	// Shelf is what the keys of the copies of an origin's things begin with, in the place
	// of Own.
	Shelf func(origin string) []byte
	// Keep writes copies of an origin's things, Buffered, by their keys without Own. It
	// keeps neither these nor the values. A copy that is there is replaced.
	Keep func(origin string, items []Item) error
}

// Item is one thing: its key, and its value.
type Item struct{ Key, Value []byte }

// Config is what copying needs.
type Config struct {
	Self  string // this node's id
	Store *store.Store
	Parts []Part
	// Nodes are those of the directory; none, or only this one, of a node that is alone.
	Nodes func() []Node
	// Push takes a message to another node's [Copies.Receive], and returns its answer.
	Push func(ctx context.Context, node string, body []byte) ([]byte, error)
	// Incarnation is this node's, by which it is known when copies are sealed.
	Incarnation func() uint32
	// Flush returns when everything that was written before can be read.
	Flush func(context.Context) error
	Now   func() ledger.Instant
	Log   *slog.Logger
}

// Copies sends copies to this node's peer, and keeps those of others. [New] makes one.
type Copies struct {
	cfg Config
	db  *pebble.DB

	number atomic.Uint32 // of the last note: two of one instant differ
	unsent atomic.Int64
	oldest atomic.Int64  // the instant of the oldest note that waits; 0 for none
	noted  chan struct{} // capacity 1: there is something to send

	sender sender // of the one goroutine

	receiving sync.Mutex // one push at a time is kept, and guards what follows
	roomAt    time.Time
	hasRoom   bool

	stop  context.CancelFunc // nil before Start
	ended sync.WaitGroup
}

// New returns copies that are not sent yet.
func New(cfg Config) *Copies {
	slices.SortFunc(cfg.Parts, func(a, b Part) int { return bytes.Compare(a.Own, b.Own) })
	c := &Copies{cfg: cfg, db: cfg.Store.DB(), noted: make(chan struct{}, 1)}
	c.number.Store(rand.Uint32())
	return c
}

// Note is written in the batch that writes a thing of one of the parts: what has the key is
// to be copied as it is when its turn comes.
func (c *Copies) Note(key []byte) store.KV {
	c.unsent.Add(1)
	select {
	case c.noted <- struct{}{}:
	default:
	}
	return store.KV{Key: noteKey(c.cfg.Now(), c.number.Add(1)), Value: append([]byte(nil), key...)}
}

// Lag is how long the oldest thing that this node's peer lacks has waited, nanoseconds, and
// how many things wait, approximately. What is sent again from the beginning is not among
// them.
func (c *Copies) Lag() (ledger.Instant, int64) {
	unsent := max(0, c.unsent.Load())
	at := c.oldest.Load()
	if at == 0 {
		return 0, unsent
	}
	return max(0, c.cfg.Now()-ledger.Instant(at)), unsent
}

// Start begins to send.
func (c *Copies) Start() {
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	c.ended.Go(func() { c.run(ctx) })
}

// Stop ends sending.
func (c *Copies) Stop() {
	if c == nil || c.stop == nil {
		return
	}
	c.stop()
	c.ended.Wait()
	c.stop = nil
}

// Close ends sending in order: as long as ctx lasts it sends what waits, and tells the peer
// that it has everything.
func (c *Copies) Close(ctx context.Context) error {
	if c == nil || c.stop == nil {
		return nil
	}
	c.Stop()
	return c.seal(ctx)
}

// Held is what this node knows of the copies that it keeps of an origin.
type Held struct {
	Origin string `json:"origin"`
	// Complete says that everything that the origin had written before Upto is there.
	Complete bool           `json:"complete"`
	Upto     ledger.Instant `json:"upto"`
	// Sealed says that the origin has stopped in order, and nothing is missing of what this
	// incarnation of it and those before have written.
	Sealed      bool   `json:"sealed"`
	Incarnation uint32 `json:"incarnation,omitempty"` // 0 of what is not sealed
}

// Better says that copies are more to be relied on than others of the same origin.
func (h Held) Better(than Held) bool {
	switch {
	case h.Sealed != than.Sealed:
		return h.Sealed
	case h.Complete != than.Complete:
		return h.Complete
	default:
		return h.Upto > than.Upto
	}
}

// Held lists the origins that this node has copies of, by name.
func (c *Copies) Held() (list []Held, err error) {
	it, err := c.under([]byte{store.PrefixQueue, roomMarks})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return nil, fmt.Errorf("list the copies of other nodes: %w", err)
		}
		m, err := decodeMark(v)
		origin, _, known := ofMark(it.Key())
		if err != nil || !known {
			return nil, fmt.Errorf("the copies under %x: %w", it.Key(), errors.Join(err, store.ErrCorrupt))
		}
		h := Held{Origin: origin, Complete: m.state.complete, Sealed: m.state.sealed, Upto: m.state.upto, Incarnation: m.state.incarnation}
		switch n := len(list); {
		case n == 0 || list[n-1].Origin != origin:
			list = append(list, h)
		case h.Better(list[n-1]):
			list[n-1] = h
		}
	}
	return list, it.Error()
}

// GoneSince is when this node first saw that another was removed; false where it has not.
func (c *Copies) GoneSince(node string) (ledger.Instant, bool, error) {
	v, err := c.get(goneKey(node))
	if err != nil || v == nil {
		return 0, false, err
	}
	if len(v) != 8 {
		return 0, false, fmt.Errorf("since when node %s is gone: %w", node, store.ErrCorrupt)
	}
	return ledger.Instant(binary.BigEndian.Uint64(v)), true, nil
}

// noteGone remembers which nodes are gone.
func (c *Copies) noteGone(nodes []Node) error {
	for _, n := range nodes {
		if !n.Gone {
			continue
		}
		_, known, err := c.GoneSince(n.ID)
		if err == nil && !known {
			err = c.set(goneKey(n.ID), binary.BigEndian.AppendUint64(nil, uint64(c.cfg.Now())), store.Buffered)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// get is a value, nil where there is none.
func (c *Copies) get(key []byte) ([]byte, error) {
	v, closer, err := c.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what is copied: %w", err)
	}
	out := append(make([]byte, 0, len(v)), v...)
	if err := closer.Close(); err != nil {
		return nil, fmt.Errorf("read what is copied: %w", err)
	}
	return out, nil
}

func (c *Copies) set(key, value []byte, d store.Durability) error {
	b := c.cfg.Store.NewBatch()
	if err := b.Set(key, value, nil); err != nil {
		return errors.Join(fmt.Errorf("write how far copying is: %w", err), b.Close())
	}
	return c.cfg.Store.Apply(b, d)
}

// under visits the keys with a prefix.
func (c *Copies) under(prefix []byte) (*pebble.Iterator, error) {
	it, err := c.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return nil, fmt.Errorf("read what is copied: %w", err)
	}
	return it, nil
}
