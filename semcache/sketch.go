package semcache

import "encoding/binary"

// sketch estimates how often a key was asked for of late: a count-min sketch of
// counters of 4 bits that are halved from time to time, so that what was popular once
// is forgotten (Einziger, Friedman and Manes, "TinyLFU: A Highly Efficient Cache
// Admission Policy", 2017). It is not safe for concurrent use.
type sketch struct {
	rows  [sketchRows][]uint64 // 16 counters each
	mask  uint64               // of a row's counters
	since int                  // asked for since they were halved
	most  int                  // that they are halved after
}

const (
	sketchRows = 4
	// counterMost is the largest count.
	counterMost = 15
	// sketchSample is how often keys are asked for between two halvings, for each
	// counter of a row.
	sketchSample = 10
	// sketchLeast is the fewest counters of a row.
	sketchLeast = 1 << 10
)

// newSketch makes one for about so many keys.
func newSketch(keys int64) sketch {
	width := int64(sketchLeast)
	for width < keys && width < 1<<22 {
		width *= 2
	}
	s := sketch{mask: uint64(width - 1), most: int(width) * sketchSample}
	for i := range s.rows {
		s.rows[i] = make([]uint64, width/16)
	}
	return s
}

// at gives where the counter of a key is in a row: a key is a hash, so that any of
// its bytes are as good as others.
func (s *sketch) at(k *Key, row int) (word int, shift uint) {
	n := uint64(binary.LittleEndian.Uint32(k[len(k)-16+4*row:])) & s.mask
	return int(n / 16), uint(n%16) * 4
}

func (s *sketch) add(k *Key) {
	added := false
	for row := range s.rows {
		word, shift := s.at(k, row)
		if w := &s.rows[row][word]; *w>>shift&counterMost < counterMost {
			*w += 1 << shift
			added = true
		}
	}
	if !added {
		return
	}
	if s.since++; s.since < s.most {
		return
	}
	s.since /= 2
	for _, row := range s.rows {
		for i := range row {
			row[i] = row[i] >> 1 & 0x7777777777777777
		}
	}
}

func (s *sketch) count(k *Key) int {
	least := uint64(counterMost)
	for row := range s.rows {
		word, shift := s.at(k, row)
		least = min(least, s.rows[row][word]>>shift&counterMost)
	}
	return int(least)
}
