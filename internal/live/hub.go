package live

import (
	"errors"
	"sync"
	"sync/atomic"

	"purser/internal/record"
)

// MaxWatches bounds the watches of a hub: each costs every request of the node a look at its
// selector.
const MaxWatches = 64

// ErrTooMany is a watch beyond MaxWatches.
var ErrTooMany = errors.New("so many watch this node's requests already that another would slow them down")

// ErrClosed is the end of a watch whose hub closes.
var ErrClosed = errors.New("the node stops")

// Selector says which records a watch is for. It keeps nothing of the record, and waits for
// nothing.
type Selector func(*record.Record) bool

// Hub is one node's finished records, for those who watch them. Its zero value is ready.
type Hub struct {
	watched atomic.Int32 // length of watches, for requests that nobody watches

	mu      sync.Mutex // guards what follows
	watches map[*Inbox]Selector
	closed  bool
}

// See gives a finished record to those who watch for it. It keeps nothing of r.
func (h *Hub) See(r *record.Record) {
	if h.watched.Load() == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var stored []byte // shared by the inboxes
	for in, selects := range h.watches {
		if !selects(r) {
			continue
		}
		if stored == nil {
			stored = record.Append(nil, r)
		}
		in.Put(stored)
	}
}

// Watch has an inbox get the records that selects chooses, until the returned function is
// called.
func (h *Hub) Watch(in *Inbox, selects Selector) (end func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return nil, ErrClosed
	case len(h.watches) >= MaxWatches:
		return nil, ErrTooMany
	case h.watches == nil:
		h.watches = map[*Inbox]Selector{}
	}
	h.watches[in] = selects
	h.watched.Store(int32(len(h.watches)))
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.watches, in)
		h.watched.Store(int32(len(h.watches)))
	}, nil
}

// Close ends all watches: their inboxes give what they have, and then ErrClosed.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for in := range h.watches {
		in.Close()
	}
}
