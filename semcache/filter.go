package semcache

import (
	"encoding/binary"
	"sync/atomic"
)

const (
	// filterBits a key keep false alarms at about one in 300 when the filter is full.
	filterBits = 16
	// filterProbes is how many bits stand for a key.
	filterProbes = 6
	// filterLeast keys fit the smallest filter, of 128 KiB.
	filterLeast = 1 << 16

	blockWords = 8 // 64 bytes: one line of the processor's cache
	blockBits  = blockWords * 64
)

// filter says of a key that the store does not have it, or that it may: a Bloom
// filter whose bits for one key are in one block (Putze, Sanders and Singler,
// "Cache-, Hash- and Space-Efficient Bloom Filters", 2007). Keys are not taken
// out. It is safe for concurrent use.
type filter struct {
	most  int64 // keys that it is made for
	keys  atomic.Int64
	words []atomic.Uint64
}

func newFilter(most int64) *filter {
	most = max(most, filterLeast)
	blocks := (most*filterBits + blockBits - 1) / blockBits
	return &filter{most: most, words: make([]atomic.Uint64, blocks*blockWords)}
}

// full says that more keys were added than the filter is made for: it is still
// right, but says "may" too often.
func (f *filter) full() bool { return f.keys.Load() > f.most }

// block gives a key's block and where its bits are in it. A key is a hash, its
// first bytes that of the tenant; the others are as good as drawn at random.
func (f *filter) block(k *Key) (words []atomic.Uint64, bits uint64) {
	n := uint64(len(f.words) / blockWords)
	at := binary.LittleEndian.Uint64(k[tenantPrefix:]) % n * blockWords
	return f.words[at : at+blockWords], binary.LittleEndian.Uint64(k[tenantPrefix+8:])
}

func (f *filter) add(k *Key) {
	words, bits := f.block(k)
	for range filterProbes {
		at := bits % blockBits
		words[at/64].Or(1 << (at % 64))
		bits /= blockBits
	}
	f.keys.Add(1)
}

func (f *filter) has(k *Key) bool {
	words, bits := f.block(k)
	for range filterProbes {
		at := bits % blockBits
		if words[at/64].Load()&(1<<(at%64)) == 0 {
			return false
		}
		bits /= blockBits
	}
	return true
}

// presence is what is known of the keys in the store. A new filter is filled from
// the store while the present one is in use; until it takes over, keys are added
// to both.
type presence struct {
	current, next atomic.Pointer[filter]
}

// add looks for the next filter first: it takes over before it ceases to be next.
func (p *presence) add(k *Key) {
	next := p.next.Load()
	p.current.Load().add(k)
	if next != nil {
		next.add(k)
	}
}

func (p *presence) has(k *Key) bool { return p.current.Load().has(k) }
