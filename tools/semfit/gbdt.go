package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"purser/semcache/decide"
)

// boost are the settings of the ensemble: gradient boosting with second derivatives
// on binned features, trees grown at the leaf that gains most (as LightGBM does).
type boost struct {
	trees, leaves, minRows, bins int
	rate, l2, features, rows     float64
	seed                         uint64
}

var ensemble = boost{trees: 260, leaves: 16, minRows: 60, bins: 64, rate: 0.05, l2: 5, features: 0.6, rows: 0.8, seed: 1}

// binned is a table of features as numbers of bins, a column after the other.
type binned struct {
	n, width int
	cuts     [][]float32 // bin b holds what is above cuts[b-1] and at most cuts[b]
	column   [][]uint8
}

func bin(x []decide.Features, bins int) *binned {
	b := &binned{n: len(x), width: len(decide.FeatureNames)}
	values := make([]float32, len(x))
	for f := range b.width {
		for i := range x {
			values[i] = x[i][f]
		}
		slices.Sort(values)
		var cuts []float32
		for k := 1; k < bins; k++ {
			c := values[k*(len(values)-1)/bins]
			if len(cuts) == 0 || c > cuts[len(cuts)-1] {
				cuts = append(cuts, c)
			}
		}
		col := make([]uint8, len(x))
		for i := range x {
			col[i] = uint8(sort.Search(len(cuts), func(k int) bool { return x[i][f] <= cuts[k] }))
		}
		b.cuts, b.column = append(b.cuts, cuts), append(b.column, col)
	}
	return b
}

type leaf struct {
	rows       []int32
	g, h       float64
	node       int
	gain       float64
	feature    int
	cut        int
	splittable bool
}

// fit grows the ensemble on rows with labels 0 and 1, and weights.
func (s boost) fit(x []decide.Features, y, w []float64) (bias float64, trees []decide.Tree) {
	b := bin(x, s.bins)
	r := rand.New(rand.NewPCG(s.seed, 7))
	sum, all := 0.0, 0.0
	for i := range y {
		sum += w[i] * y[i]
		all += w[i]
	}
	bias = math.Log(sum / (all - sum))
	score := make([]float64, b.n)
	for i := range score {
		score[i] = bias
	}
	g, h := make([]float64, b.n), make([]float64, b.n)
	for range s.trees {
		for i := range score {
			p := 1 / (1 + math.Exp(-score[i]))
			g[i], h[i] = w[i]*(p-y[i]), w[i]*p*(1-p)
		}
		var rows []int32
		for i := range b.n {
			if r.Float64() < s.rows {
				rows = append(rows, int32(i))
			}
		}
		use := r.Perm(b.width)[:int(s.features*float64(b.width))]
		t := s.grow(b, rows, use, g, h)
		trees = append(trees, t)
		for i := range score {
			score[i] += float64(b.walk(t, i))
		}
	}
	for _, t := range trees {
		for k := range t {
			if t[k].Left != 0 { // thresholds are numbers of cuts until here
				t[k].Threshold = b.cuts[t[k].Feature][int(t[k].Threshold)]
			}
		}
	}
	return bias, trees
}

func (b *binned) walk(t decide.Tree, row int) float32 {
	i := uint8(0)
	for t[i].Left != 0 {
		if b.column[t[i].Feature][row] <= uint8(t[i].Threshold) {
			i = t[i].Left
		} else {
			i = t[i].Right
		}
	}
	return t[i].Threshold
}

func (s boost) grow(b *binned, rows []int32, use []int, g, h []float64) decide.Tree {
	root := &leaf{rows: rows}
	for _, i := range rows {
		root.g += g[i]
		root.h += h[i]
	}
	s.best(b, root, use, g, h)
	t := decide.Tree{s.value(root)}
	leaves := []*leaf{root}
	for len(leaves) < s.leaves {
		at := -1
		for i, l := range leaves {
			if l.splittable && (at < 0 || l.gain > leaves[at].gain) {
				at = i
			}
		}
		if at < 0 {
			break
		}
		l := leaves[at]
		left, right := &leaf{node: len(t)}, &leaf{node: len(t) + 1}
		for _, i := range l.rows {
			to := right
			if b.column[l.feature][i] <= uint8(l.cut) {
				to = left
			}
			to.rows = append(to.rows, i)
			to.g += g[i]
			to.h += h[i]
		}
		t[l.node] = decide.Node{Feature: uint8(l.feature), Left: uint8(left.node), Right: uint8(right.node), Threshold: float32(l.cut)}
		t = append(t, s.value(left), s.value(right))
		s.best(b, left, use, g, h)
		s.best(b, right, use, g, h)
		leaves[at] = left
		leaves = append(leaves, right)
	}
	return t
}

func (s boost) value(l *leaf) decide.Node {
	return decide.Node{Threshold: float32(-s.rate * l.g / (l.h + s.l2))}
}

func (s boost) best(b *binned, l *leaf, use []int, g, h []float64) {
	if len(l.rows) < 2*s.minRows {
		return
	}
	var hg, hh [256]float64
	var hn [256]int
	whole := l.g * l.g / (l.h + s.l2)
	for _, f := range use {
		cuts := len(b.cuts[f])
		if cuts == 0 {
			continue
		}
		clear(hg[:cuts+1])
		clear(hh[:cuts+1])
		clear(hn[:cuts+1])
		col := b.column[f]
		for _, i := range l.rows {
			c := col[i]
			hg[c] += g[i]
			hh[c] += h[i]
			hn[c]++
		}
		lg, lh, ln := 0.0, 0.0, 0
		for c := range cuts {
			lg, lh, ln = lg+hg[c], lh+hh[c], ln+hn[c]
			if ln < s.minRows || len(l.rows)-ln < s.minRows {
				continue
			}
			gain := lg*lg/(lh+s.l2) + (l.g-lg)*(l.g-lg)/(l.h-lh+s.l2) - whole
			if gain > l.gain+1e-9 {
				l.gain, l.feature, l.cut, l.splittable = gain, f, c, true
			}
		}
	}
}
