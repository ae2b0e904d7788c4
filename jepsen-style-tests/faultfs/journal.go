//go:build linux

package faultfs

import (
	"maps"
	"slices"
	"sync"
)

// change is one name in one directory, as it was before an operation.
type change struct {
	dir    *inode
	name   string
	before *inode // nil if the name was not there
}

// step is one operation on names: it is there as a whole, or not at all.
type step []change

// nameJournal has the operations on names that are not durable, oldest first.
// FS.mu guards it. The position of an operation counts those up to it since the mount.
type nameJournal struct {
	steps []step
	base  uint64 // the position of what is durable
	limit int    // of steps
}

// record adds an operation that concerns the given inodes, after it was done.
func (f *FS) record(s step, concerned ...*inode) {
	j := &f.names
	for _, c := range s {
		if c.before != nil {
			c.before.pins++
		}
	}
	j.steps = append(j.steps, s)
	at := j.base + uint64(len(j.steps))
	f.position.Store(at)
	for _, n := range concerned {
		n.changed = at
	}
	if len(j.steps) > j.limit {
		f.counts.presumed.Add(1)
		f.settle(j.base + 1)
	}
}

// settle makes durable the operations up to a position.
func (f *FS) settle(upTo uint64) {
	j := &f.names
	if upTo <= j.base {
		return
	}
	done := j.steps[:upTo-j.base]
	j.steps, j.base = j.steps[upTo-j.base:], upTo
	for _, s := range done {
		for _, c := range s {
			if c.before != nil {
				c.before.pins--
				f.release(c.before)
			}
		}
	}
	if len(j.steps) == 0 {
		j.steps = nil
	}
}

// undo takes back the operations after the first kept ones, and forgets the journal.
// The caller holds the gate alone, and sets the inodes' links and places anew.
func (j *nameJournal) undo(kept int) (undone int) {
	lost := j.steps[kept:]
	for _, s := range slices.Backward(lost) {
		for _, c := range slices.Backward(s) {
			c.put(c.dir.children)
		}
	}
	j.base += uint64(len(j.steps))
	j.steps = nil
	return len(lost)
}

// put restores the name among the children of its directory.
func (c change) put(children map[string]*inode) {
	if c.before == nil {
		delete(children, c.name)
		return
	}
	children[c.name] = c.before
}

func sortedNames(children map[string]*inode) []string { return slices.Sorted(maps.Keys(children)) }

// held bounds what the journals of pages weigh together.
type held struct {
	mu    sync.Mutex
	bytes int64
	limit int64
	dirty map[*inode]uint64 // since which turn a file has had something to undo
	turn  uint64
}

// add notes that the journal of n weighs more or less. The caller holds n.data.
func (h *held) add(n *inode, bytes int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bytes += bytes
	if len(n.saved) == 0 {
		delete(h.dirty, n)
	} else if _, known := h.dirty[n]; !known {
		h.turn++
		h.dirty[n] = h.turn
	}
}

// excess returns the file that has waited longest, if there is too much; nil if not.
func (h *held) excess() *inode {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.bytes <= h.limit {
		return nil
	}
	var oldest *inode
	for n, since := range h.dirty {
		if oldest == nil || since < h.dirty[oldest] {
			oldest = n
		}
	}
	return oldest
}

// clear forgets every file, after a crash.
func (h *held) clear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.dirty)
	h.bytes = 0
}

// trim takes files as durable until the journals are within their limit. The caller
// holds neither the gate nor an inode's data.
func (f *FS) trim() {
	f.gate.RLock()
	defer f.gate.RUnlock()
	for n := f.held.excess(); n != nil; n = f.held.excess() {
		n.data.Lock()
		weight := n.weight()
		f.counts.presumed.Add(uint64(len(n.saved)))
		for _, p := range n.saved {
			p.orphan = false
		}
		n.clean()
		f.held.add(n, n.weight()-weight)
		n.data.Unlock()
	}
}
