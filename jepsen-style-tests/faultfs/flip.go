//go:build linux

package faultfs

import (
	"fmt"
	"path"
)

// Flipped is a bit that was turned over.
type Flipped struct {
	Path   string
	Offset int64
	Bit    uint8 // 0 is the least
}

// Flip turns over n bits of the content of the files that match a glob as
// [Fault.Match] does, each bit as likely as another, none twice. The node's process may run: it
// reads the flipped content from then on.
func (f *FS) Flip(match string, n int) ([]Flipped, error) {
	if _, err := path.Match(match, ""); err != nil {
		return nil, fmt.Errorf("the glob %q: %w", match, err)
	}
	flipped, err := f.flip(match, n)
	f.dropCaches(match)
	f.counts.flipped.Add(uint64(len(flipped)))
	f.say("faultfs: %s: flipped %+v", f.dir, flipped)
	return flipped, err
}

func (f *FS) flip(match string, n int) ([]Flipped, error) {
	f.gate.Lock()
	defer f.gate.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []*inode
	var bits int64
	err := f.files(func(n *inode) error {
		if n.links > 0 && n.size > 0 && strikes(match, n.path()) {
			found = append(found, n)
			bits += n.size * 8
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if int64(n) > bits {
		return nil, fmt.Errorf("%d bits to flip: the files that match %q have %d", n, match, bits)
	}
	var flipped []Flipped
	seen := map[int64]bool{}
	for len(flipped) < n {
		at := f.rng.Int64N(bits)
		if seen[at] {
			continue
		}
		seen[at] = true
		i := 0
		for ; at >= found[i].size*8; i++ {
			at -= found[i].size * 8
		}
		one := Flipped{found[i].path(), at / 8, uint8(at % 8)}
		b := make([]byte, 1)
		if _, err := found[i].file.ReadAt(b, one.Offset); err != nil {
			return flipped, fmt.Errorf("flipping a bit of %s: %w", one.Path, err)
		}
		b[0] ^= 1 << one.Bit
		if _, err := found[i].file.WriteAt(b, one.Offset); err != nil {
			return flipped, fmt.Errorf("flipping a bit of %s: %w", one.Path, err)
		}
		flipped = append(flipped, one)
	}
	return flipped, nil
}

// String is the place as path:offset.bit.
func (b Flipped) String() string { return fmt.Sprintf("%s:%d.%d", b.Path, b.Offset, b.Bit) }
