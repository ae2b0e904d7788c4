//go:build linux

package faultfs

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
)

const (
	pageSize   = 4096
	sectorSize = 512
	// uncut is pages.cut of a file that was not truncated.
	uncut = int64(-1)
	// pageWeight is what a page in the journal weighs without its bytes.
	pageWeight = 64
	// tornOneIn is how many pages that survive a crash there are to one that is torn.
	tornOneIn = 8
)

// pages is the journal of one file's content: how to undo what is not durable.
type pages struct {
	size    int64 // that users see
	durable int64 // the size that survives a crash
	cut     int64 // the smallest size since the last sync, if it was truncated
	grown   bool  // the size was set beyond what was written
	saved   map[int64]*page

	// touched and extended are the positions of the journal of names at the last
	// write and at the last change of size: see inode.changed and inode.sized.
	touched, extended uint64
}

// page is a page that was written since the last sync.
type page struct {
	old []byte // its durable bytes: fewer than a page, or none, where the file ended
	// orphan is a page that a sync failed to write: the kernel thinks it clean.
	orphan bool
}

// weight is what the journal takes in memory.
func (p *pages) weight() int64 {
	w := int64(len(p.saved)) * pageWeight
	for _, s := range p.saved {
		w += int64(len(s.old))
	}
	return w
}

// save keeps what is durable of the bytes from..to, before they change, and returns
// what the journal weighs more.
func (p *pages) save(file io.ReaderAt, from, to int64) (int64, error) {
	if p.saved == nil {
		p.saved = map[int64]*page{}
	}
	var more int64
	for i := from / pageSize; i*pageSize < to; i++ {
		if s := p.saved[i]; s != nil {
			s.orphan = false
			continue
		}
		s := &page{}
		if n := min(p.durable-i*pageSize, pageSize); n > 0 {
			s.old = make([]byte, n)
			if _, err := file.ReadAt(s.old, i*pageSize); err != nil && !errors.Is(err, io.EOF) {
				return more, fmt.Errorf("reading what a write replaces: %w", err)
			}
		}
		p.saved[i] = s
		more += pageWeight + int64(len(s.old))
	}
	return more, nil
}

// resize notes a new size, whose lost bytes are saved already.
func (p *pages) resize(size int64) {
	switch {
	case size < p.size && (p.cut == uncut || size < p.cut):
		p.cut = size
	case size > p.size:
		p.grown = true
	}
	p.size = size
}

// clean makes durable what a sync writes: all but the orphans.
func (p *pages) clean() {
	wrote := p.cut != uncut || p.grown
	for i, s := range p.saved {
		if !s.orphan {
			delete(p.saved, i)
			wrote = true
			continue
		}
		if p.cut != uncut {
			s.old = s.old[:clamp(p.cut-i*pageSize, int64(len(s.old)))]
		}
	}
	if wrote {
		p.durable, p.cut, p.grown = p.size, uncut, false
	}
	if len(p.saved) == 0 {
		p.saved = nil
	}
}

// fail is a sync that did not write: the kernel takes the pages as clean.
func (p *pages) fail() {
	for _, s := range p.saved {
		s.orphan = true
	}
}

// clamp is n within 0..most.
func clamp(n, most int64) int64 { return max(0, min(n, most)) }

// loss is what a crash did to one file.
type loss struct {
	pages, torn int
	bytes       int64
}

// crash brings the file to what a power cut leaves: each page that is not durable
// is kept with the given chance.
func (p *pages) crash(file *os.File, keep float64, rng *rand.Rand) (loss, error) {
	var l loss
	end := p.durable
	allLost := false
	if p.cut != uncut {
		if allLost = rng.Float64() >= keep; !allLost {
			end = min(end, p.cut)
		}
	}
	base := end
	for _, i := range slices.Sorted(maps.Keys(p.saved)) {
		s, start := p.saved[i], i*pageSize
		old := s.old[:clamp(base-start, int64(len(s.old)))]
		kept := int64(0) // bytes from the page's start
		if !allLost && !s.orphan && rng.Float64() < keep {
			kept = clamp(p.size-start, pageSize)
			if keep < 1 && rng.IntN(tornOneIn) == 0 {
				kept = min(kept, sectorSize*rng.Int64N(pageSize/sectorSize))
				l.torn++
			}
			end = max(end, start+kept)
		}
		if lost := clamp(p.size-start, pageSize) - kept; lost > 0 {
			l.pages++
			l.bytes += lost
		}
		// What was not kept becomes the old bytes, and zeros after them.
		back := make([]byte, pageSize)
		copy(back, old)
		if _, err := file.WriteAt(back[kept:], start+kept); err != nil {
			return l, fmt.Errorf("undoing a write: %w", err)
		}
	}
	if p.grown && !allLost && p.size > end && rng.Float64() < keep {
		end = p.size
	}
	if err := file.Truncate(end); err != nil {
		return l, fmt.Errorf("undoing a change of size: %w", err)
	}
	*p = pages{size: end, durable: end, cut: uncut}
	return l, nil
}

// image writes to w what is durable of the file: what a crash that keeps nothing leaves.
func (p *pages) image(w io.WriterAt, file io.ReaderAt) error {
	buf := make([]byte, 256*pageSize)
	for at := int64(0); at < p.durable; at += int64(len(buf)) {
		b := buf[:min(int64(len(buf)), p.durable-at)]
		clear(b)
		if _, err := file.ReadAt(b, at); err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("reading a file: %w", err)
		}
		for i := at / pageSize; i*pageSize < at+int64(len(b)); i++ {
			if s := p.saved[i]; s != nil {
				b := b[i*pageSize-at:]
				n := copy(b, s.old)
				clear(b[n:min(len(b), pageSize)])
			}
		}
		if _, err := w.WriteAt(b, at); err != nil {
			return fmt.Errorf("writing an image: %w", err)
		}
	}
	return nil
}
