package index

import (
	"sync"
	"sync/atomic"
)

// Scope names the rows that may be found together: a hash of whose they are and of
// all that has to be equal.
type Scope [32]byte

// Limits bound [Scopes].
type Limits struct {
	PerScope int // rows of one scope
	Total    int // rows of all
}

// Scopes holds an [Index] for each scope that has rows. All its methods are safe for
// concurrent use. Make it with [NewScopes].
type Scopes struct {
	dim    int
	limits Limits
	rows   atomic.Int64
	shards [shardCount]shard
}

// shardCount is how many locks the scopes share.
const shardCount = 64

// shard holds the scopes whose first byte says so. Its lock is held for looking a
// scope up, and by writers for the time of one row; searching takes none.
type shard struct {
	mu sync.RWMutex
	of map[Scope]*Index
}

// NewScopes gives empty scopes of vectors of dim values. It panics on a dimension or
// limits that are not positive.
func NewScopes(dim int, limits Limits) *Scopes {
	if dim < 1 || dim > MaxDim || limits.PerScope < 1 || limits.Total < 1 {
		panic("index: limits beyond their bounds")
	}
	s := &Scopes{dim: dim, limits: limits}
	for i := range s.shards {
		s.shards[i].of = map[Scope]*Index{}
	}
	return s
}

// Dim is the number of values of a vector.
func (s *Scopes) Dim() int { return s.dim }

// Len is the number of rows of all scopes.
func (s *Scopes) Len() int { return int(s.rows.Load()) }

// ScopeLen is the number of rows of one scope.
func (s *Scopes) ScopeLen(scope Scope) int {
	if x := s.index(scope); x != nil {
		return x.Len()
	}
	return 0
}

func (s *Scopes) shard(scope Scope) *shard { return &s.shards[scope[0]%shardCount] }

func (s *Scopes) index(scope Scope) *Index {
	h := s.shard(scope)
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.of[scope]
}

// Add adds a row to a scope, or replaces the one with its id. q is copied. The
// error is [ErrScopeFull], [ErrFull] or [ErrRow].
func (s *Scopes) Add(scope Scope, id uint64, q []int8, scale float32) error {
	h := s.shard(scope)
	h.mu.Lock()
	defer h.mu.Unlock()
	x, bound := h.of[scope], s.limits.PerScope
	// One row more is reserved before it is there, so that writers of two scopes
	// cannot both take the last place.
	full := s.rows.Add(1) > int64(s.limits.Total)
	if x == nil {
		x = New(s.dim)
	}
	if full {
		bound = min(bound, x.Len()) // it may still replace
	}
	grew, err := x.add(id, q, scale, bound)
	if !grew {
		s.rows.Add(-1)
	}
	if err == ErrScopeFull && full {
		return ErrFull
	}
	if err == nil {
		h.of[scope] = x
	}
	return err
}

// Remove removes a row of a scope; it is false if there is none.
func (s *Scopes) Remove(scope Scope, id uint64) bool {
	h := s.shard(scope)
	h.mu.Lock()
	defer h.mu.Unlock()
	x := h.of[scope]
	if x == nil || !x.Remove(id) {
		return false
	}
	s.rows.Add(-1)
	if x.Len() == 0 {
		delete(h.of, scope)
	}
	return true
}

// Drop removes a scope with all its rows, and gives their number.
func (s *Scopes) Drop(scope Scope) int {
	h := s.shard(scope)
	h.mu.Lock()
	defer h.mu.Unlock()
	x := h.of[scope]
	if x == nil {
		return 0
	}
	delete(h.of, scope)
	s.rows.Add(int64(-x.Len()))
	return x.Len()
}

// Search is [Index.Search] in one scope.
func (s *Scopes) Search(scope Scope, q []int8, scale float32, k int, floor float32) []Hit {
	x := s.index(scope)
	if x == nil {
		return nil
	}
	return x.Search(q, scale, k, floor)
}
