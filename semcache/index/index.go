package index

import (
	"errors"
	"math"
	"sync"
	"sync/atomic"
)

const (
	// MaxDim bounds the dimension: no embedding model in use has more.
	MaxDim = 4096
	// MaxHits bounds the hits of one search.
	MaxHits = 64
)

var (
	// ErrRow is the error for a row of another dimension, or a scale that is not a positive number.
	ErrRow = errors.New("index: a row of another shape")
	// ErrScopeFull is the error for one row more than a scope may have.
	ErrScopeFull = errors.New("index: the scope is full")
	// ErrFull is the error for one row more than all scopes may have.
	ErrFull = errors.New("index: full")
)

// A Hit is a row that was found.
type Hit struct {
	ID    uint64
	Score float32 // cosine, in [-1, 1]
}

// Quantize writes v as int8 into dst, of the same length, and gives the scale: v is
// about dst times scale if its length is 1. The scale is 0 if v is zero or has a
// value that is not finite: such a row cannot be added.
func Quantize(dst []int8, v []float32) (scale float32) {
	var top float32
	for _, x := range v {
		if a := float32(math.Abs(float64(x))); !(a <= math.MaxFloat32) {
			clear(dst)
			return 0
		} else if a > top {
			top = a
		}
	}
	if top == 0 {
		clear(dst)
		return 0
	}
	var sum int64
	for i, x := range v {
		q := int64(math.RoundToEven(float64(x) / float64(top) * 127))
		dst[i] = int8(q)
		sum += q * q
	}
	return float32(1 / math.Sqrt(float64(sum)))
}

// Index holds the rows of one scope. Make it with [New].
type Index struct {
	dim    int
	stride int // dim, rounded up to whole steps of the kernels; what is beyond dim is 0

	now atomic.Pointer[snapshot]

	mu sync.Mutex // of writers
	at map[uint64]int
}

// New gives an empty index of vectors of dim values, 1 to [MaxDim].
func New(dim int) *Index {
	if dim < 1 || dim > MaxDim {
		panic("index: a dimension beyond its bounds")
	}
	x := &Index{dim: dim, stride: (dim + step - 1) / step * step}
	x.now.Store(&snapshot{})
	return x
}

// Len is the number of rows.
func (x *Index) Len() int { return x.now.Load().n }

// Add adds a row, or replaces the one with its id. q is copied.
func (x *Index) Add(id uint64, q []int8, scale float32) error {
	_, err := x.add(id, q, scale, math.MaxInt)
	return err
}

// add is true if there is one row more than before, of at most bound.
func (x *Index) add(id uint64, q []int8, scale float32, bound int) (bool, error) {
	if len(q) != x.dim || !(scale > 0 && scale <= 1) {
		return false, ErrRow
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.now.Load()
	at, there := x.findLocked(s, id)
	if !there && s.n >= bound {
		return false, ErrScopeFull
	}
	var next *snapshot
	if there {
		next = s.replaced(at, x.stride)
	} else {
		next, at = s.grown(x.stride), s.n
		x.placeLocked(next, id, at)
	}
	p, i := next.pages[at/pageRows], at%pageRows
	copy(p.row(i, x.stride), q)
	p.ids[i], p.scales[i] = id, scale
	x.now.Store(next)
	return !there, nil
}

// Remove removes a row; it is false if there is none.
func (x *Index) Remove(id uint64) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.now.Load()
	at, there := x.findLocked(s, id)
	if !there {
		return false
	}
	last := s.n - 1
	next := s
	if at != last {
		// The last row takes the place.
		next = s.replaced(at, x.stride)
		to, from := next.pages[at/pageRows], s.pages[last/pageRows]
		i, j := at%pageRows, last%pageRows
		copy(to.row(i, x.stride), from.row(j, x.stride))
		to.ids[i], to.scales[i] = from.ids[j], from.scales[j]
		if x.at != nil {
			x.at[to.ids[i]] = at
		}
	}
	delete(x.at, id)
	x.now.Store(next.shrunk())
	return true
}

// mapFrom is the number of rows from which positions are kept in a map: most scopes
// have a handful of rows, and looking at those is faster than a map is small.
const mapFrom = 64

func (x *Index) findLocked(s *snapshot, id uint64) (int, bool) {
	if x.at != nil {
		at, ok := x.at[id]
		return at, ok
	}
	for at := range s.n {
		if s.pages[at/pageRows].ids[at%pageRows] == id {
			return at, true
		}
	}
	return 0, false
}

// placeLocked notes that a new row is at position at, the last of next.
func (x *Index) placeLocked(next *snapshot, id uint64, at int) {
	if x.at == nil {
		if next.n < mapFrom {
			return
		}
		x.at = make(map[uint64]int, 2*mapFrom)
		for i := range at {
			x.at[next.pages[i/pageRows].ids[i%pageRows]] = i
		}
	}
	x.at[id] = at
}
