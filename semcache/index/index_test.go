package index

import (
	"cmp"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func vector(r *rand.Rand, dim int) []float32 {
	v := make([]float32, dim)
	var sum float64
	for i := range v {
		v[i] = float32(r.NormFloat64())
		sum += float64(v[i]) * float64(v[i])
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(sum))
	}
	return v
}

func row(r *rand.Rand, dim int) ([]int8, float32) {
	q := make([]int8, dim)
	return q, Quantize(q, vector(r, dim))
}

func TestScoresAreCosines(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, dim := range []int{1, 7, 31, 32, 33, 256, 1536} {
		x := New(dim)
		a, b := vector(r, dim), vector(r, dim)
		qa, qb := make([]int8, dim), make([]int8, dim)
		sa, sb := Quantize(qa, a), Quantize(qb, b)
		if err := x.Add(1, qa, sa); err != nil {
			t.Fatal(err)
		}
		var want float64
		for i := range a {
			want += float64(a[i]) * float64(b[i])
		}
		if got := x.Search(qb, sb, 1, -1); len(got) != 1 || math.Abs(float64(got[0].Score)-want) > 0.02 {
			t.Errorf("dimension %d: %v, want %v", dim, got, want)
		}
		if got := x.Search(qa, sa, 1, 0.999999); len(got) != 1 || got[0].Score > 1 {
			t.Errorf("dimension %d: a row does not find itself: %v", dim, got)
		}
	}
}

func TestQuantizeRefusesWhatHasNoDirection(t *testing.T) {
	for _, v := range [][]float32{{0, 0}, {1, float32(math.NaN())}, {float32(math.Inf(-1)), 1}} {
		dst := []int8{9, 9}
		if s := Quantize(dst, v); s != 0 || dst[0] != 0 || dst[1] != 0 {
			t.Errorf("%v became %v with scale %v", v, dst, s)
		}
		if err := New(2).Add(1, dst, 0); !errors.Is(err, ErrRow) {
			t.Errorf("a row without a scale was added: %v", err)
		}
	}
	for _, scale := range []float32{float32(math.NaN()), -1, float32(math.Inf(1))} {
		if err := New(2).Add(1, []int8{1, 2}, scale); !errors.Is(err, ErrRow) {
			t.Errorf("scale %v: %v", scale, err)
		}
	}
	if err := New(2).Add(1, []int8{1}, 0.5); !errors.Is(err, ErrRow) {
		t.Errorf("a short row: %v", err)
	}
	if got := New(2).Search([]int8{1}, 1, 5, -1); got != nil {
		t.Errorf("a short query found %v", got)
	}
}

type stored struct {
	q     []int8
	scale float32
}

// naive is Search over a map, by sorting everything.
func naive(rows map[uint64]stored, q []int8, scale float32, k int, floor float32) []Hit {
	var all []Hit
	for id, row := range rows {
		var dot int32
		for i := range q {
			dot += int32(q[i]) * int32(row.q[i])
		}
		if score := float32(dot) * row.scale * scale; score >= floor {
			all = append(all, Hit{id, max(-1, min(1, score))})
		}
	}
	slices.SortFunc(all, func(a, b Hit) int { return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.ID, b.ID)) })
	return all[:min(k, len(all))]
}

// TestSearchIsThatOfTheNaiveTwin adds, replaces, removes and searches at random.
func TestSearchIsThatOfTheNaiveTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dim := rapid.IntRange(1, 40).Draw(t, "dim")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		x, twin := New(dim), map[uint64]stored{}
		ids := rapid.IntRange(1, 700).Draw(t, "ids")
		for range rapid.IntRange(1, 1500).Draw(t, "steps") {
			id := uint64(r.IntN(ids))
			if r.IntN(4) > 0 {
				q, s := row(r, dim)
				if err := x.Add(id, q, s); err != nil {
					t.Fatal(err)
				}
				twin[id] = stored{q, s}
			} else {
				_, there := twin[id]
				if x.Remove(id) != there {
					t.Fatalf("removing %d: there is %v", id, there)
				}
				delete(twin, id)
			}
			if x.Len() != len(twin) {
				t.Fatalf("%d rows, want %d", x.Len(), len(twin))
			}
		}
		for range 5 {
			q, s := row(r, dim)
			k, floor := 1+r.IntN(12), r.Float32()-0.5
			if got, want := x.Search(q, s, k, floor), naive(twin, q, s, k, floor); !slices.Equal(got, want) {
				t.Fatalf("%v, want %v", got, want)
			}
		}
	})
}

// TestASnapshotStaysAsItIs: what a search reads must not change under it.
func TestASnapshotStaysAsItIs(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	const dim = 8
	x, twin := New(dim), map[uint64]stored{}
	type seen struct {
		s    *snapshot
		rows map[uint64]stored
	}
	var kept []seen
	for i := range 3000 {
		id := uint64(r.IntN(600))
		if r.IntN(2) == 0 {
			q, s := row(r, dim)
			if err := x.Add(id, q, s); err != nil {
				t.Fatal(err)
			}
			twin[id] = stored{q, s}
		} else {
			x.Remove(id)
			delete(twin, id)
		}
		if i%37 == 0 {
			copied := make(map[uint64]stored, len(twin))
			for id, row := range twin {
				copied[id] = row
			}
			kept = append(kept, seen{x.now.Load(), copied})
		}
	}
	for _, k := range kept {
		if k.s.n != len(k.rows) {
			t.Fatalf("a snapshot of %d rows has %d", len(k.rows), k.s.n)
		}
		for at := range k.s.n {
			p, i := k.s.pages[at/pageRows], at%pageRows
			want, ok := k.rows[p.ids[i]]
			if !ok || p.scales[i] != want.scale || !slices.Equal(p.row(i, x.stride)[:dim], want.q) {
				t.Fatalf("row %d of a snapshot changed", at)
			}
		}
	}
}

func TestScopesNeverMeet(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	const dim = 16
	s := NewScopes(dim, Limits{PerScope: 100, Total: 1000})
	q, scale := row(r, dim)
	for i := range 20 {
		if err := s.Add(Scope{byte(i % 3), 31: byte(i)}, uint64(i), q, scale); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		got := s.Search(Scope{byte(i % 3), 31: byte(i)}, q, scale, 10, -1)
		if len(got) != 1 || got[0].ID != uint64(i) {
			t.Errorf("scope %d finds %v", i, got)
		}
	}
	if got := s.Search(Scope{99}, q, scale, 10, -1); got != nil {
		t.Errorf("a scope without rows finds %v", got)
	}
}

func TestScopesAreBounded(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	const dim = 4
	s := NewScopes(dim, Limits{PerScope: 3, Total: 5})
	q, scale := row(r, dim)
	a, b, c := Scope{1}, Scope{2}, Scope{3}
	add := func(scope Scope, id uint64, want error) {
		t.Helper()
		if err := s.Add(scope, id, q, scale); !errors.Is(err, want) {
			t.Errorf("adding %d: %v, want %v", id, err, want)
		}
	}
	for id := range uint64(3) {
		add(a, id, nil)
	}
	add(a, 3, ErrScopeFull)
	add(a, 2, nil) // replaces
	add(b, 1, nil)
	add(b, 2, nil)
	add(b, 3, ErrFull)
	add(c, 1, ErrFull)
	add(b, 2, nil) // replaces
	if s.Len() != 5 || s.ScopeLen(a) != 3 || s.ScopeLen(c) != 0 {
		t.Errorf("%d rows, %d and %d in scopes", s.Len(), s.ScopeLen(a), s.ScopeLen(c))
	}
	if s.Remove(c, 1) || s.Remove(b, 9) || !s.Remove(b, 1) {
		t.Error("a removal told wrong")
	}
	add(c, 1, nil)
	if s.Drop(a) != 3 || s.Drop(a) != 0 || s.Len() != 2 {
		t.Errorf("%d rows after a scope was dropped, want 2", s.Len())
	}
	s.Remove(c, 1)
	s.Remove(b, 2)
	for i := range s.shards {
		if n := len(s.shards[i].of); n > 0 {
			t.Errorf("%d scopes are left without rows", n)
		}
	}
}

// TestConcurrentWritersAndSearches is for the race detector; it also checks that a
// hit is always a row that was added with its id.
func TestConcurrentWritersAndSearches(t *testing.T) {
	const dim, writers, each = 32, 4, 600
	s := NewScopes(dim, Limits{PerScope: 5000, Total: 5000})
	var writing, reading sync.WaitGroup
	done := make(chan struct{})
	for w := range writers {
		writing.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 1))
			for i := range each {
				q := make([]int8, dim)
				id := uint64(w*each + i)
				q[id%dim] = 127
				if err := s.Add(Scope{byte(i % 2)}, id, q, 1./127); err != nil {
					t.Error(err)
				}
				if i%3 == 0 {
					s.Remove(Scope{byte(i % 2)}, uint64(w*each+r.IntN(i+1)))
				}
			}
		})
	}
	for range 2 {
		reading.Go(func() {
			q := make([]int8, dim)
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				at := i % dim
				q[at] = 127
				for _, h := range s.Search(Scope{byte(i % 2)}, q, 1./127, 8, 0.5) {
					if h.ID%dim != uint64(at) {
						t.Errorf("row %d found for %d", h.ID, at)
					}
				}
				q[at] = 0
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
	if s.Len() != s.ScopeLen(Scope{0})+s.ScopeLen(Scope{1}) {
		t.Errorf("%d rows in all, %d and %d in scopes", s.Len(), s.ScopeLen(Scope{0}), s.ScopeLen(Scope{1}))
	}
}
