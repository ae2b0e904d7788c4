package fleet

import (
	"crypto/sha256"
	"encoding/binary"

	"purser/semcache"
)

// seedOf is what a node's weights are made of.
func seedOf(node string) uint64 {
	sum := sha256.Sum256([]byte("purser cache owner\x00" + node))
	return binary.LittleEndian.Uint64(sum[:])
}

// weight mixes a node's seed with a key, whose last bytes are as good as drawn at
// random (the finalizer of SplitMix64: Steele, Lea and Flood, 2014).
func weight(seed uint64, k *semcache.Key) uint64 {
	x := seed ^ binary.LittleEndian.Uint64(k[len(k)-8:])
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
