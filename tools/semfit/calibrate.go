package main

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"purser/semcache/decide"
	"purser/semcache/embed"
	"purser/semcache/index"
	"purser/semcache/labelled"
)

// seen is one lookup whose nearest candidate that no guard vetoes has a label.
type seen struct {
	sum, margin float64
	same        float64
}

// Settings of the table: how many lookups a point stands for, and how much the logistic
// function counts beside them.
const (
	perPoint = 120
	prior    = 4
	nearest  = 5
	recall   = 0.55
)

// calibrate asks for texts among all others, as a cache does, and learns from those
// answers that have a label how the score of the best candidate turns into a probability.
func (f *fitting) calibrate(parts [folds]decide.Params, queries int) decide.Calibration {
	dim := f.table.Dim()
	rows := index.New(dim)
	quantized := make([][]int8, len(f.views))
	scales := make([]float32, len(f.views))
	for i, v := range f.views {
		if v.Sentence() == nil {
			continue
		}
		quantized[i] = make([]int8, dim)
		scales[i] = index.Quantize(quantized[i], v.Sentence())
		if err := rows.Add(uint64(i), quantized[i], scales[i]); err != nil {
			panic(err) // ids are unique, and the dimension is the table's
		}
	}
	var models [folds]*decide.Model
	for k := range folds {
		m, err := decide.NewModel(&parts[k], f.vectors)
		if err != nil {
			panic(err)
		}
		models[k] = m
	}
	var all []seen
	unlabelled := 0
	for _, i := range rand.New(rand.NewPCG(11, 13)).Perm(len(f.views))[:min(queries, len(f.views))] {
		if quantized[i] == nil {
			continue
		}
		hits := rows.Search(quantized[i], scales[i], nearest+1, recall)
		hits = slices.DeleteFunc(hits, func(h index.Hit) bool { return h.ID == uint64(i) })
		m := models[fold(f.classes.Class(i))]
		at := -1
		var s seen
		for k, h := range hits { // the nearest that no guard vetoes
			margin := marginOf(hits, k)
			d := m.Judge(f.views[i], f.views[h.ID], float64(embed.Cosine(f.views[i].Sentence(), f.views[h.ID].Sentence())), margin)
			if !math.IsInf(d.Score, -1) {
				at, s = int(h.ID), seen{sum: d.Score, margin: margin}
				break
			}
		}
		if at < 0 {
			continue
		}
		switch f.classes.Judge(i, at) {
		case labelled.Right:
			s.same = 1
			all = append(all, s)
		case labelled.Wrong:
			all = append(all, s)
		case labelled.Unlabelled:
			unlabelled++
		}
	}
	fmt.Fprintf(f.stdout, "%d lookups with a labelled candidate, %d without\n", len(all), unlabelled)
	c := logistic(all)
	c.Points = table(&c, all)
	return c
}

// marginOf is how much a hit is above the best of the others.
func marginOf(hits []index.Hit, k int) float64 {
	if len(hits) < 2 {
		return math.NaN()
	}
	other := 0
	if k == 0 {
		other = 1
	}
	return float64(hits[k].Score - hits[other].Score)
}

// logistic fits offset, slope and the weight of the margin by Newton's method.
func logistic(all []seen) decide.Calibration {
	c := decide.Calibration{Slope: 1}
	n := 0.0
	for i := range all {
		if !math.IsNaN(all[i].margin) {
			c.MeanMargin += all[i].margin
			n++
		}
	}
	c.MeanMargin /= max(n, 1)
	w := [3]float64{0, 1, 0}
	for range 30 {
		var g [3]float64
		var h [3][3]float64
		for _, s := range all {
			m := s.margin
			if math.IsNaN(m) {
				m = c.MeanMargin
			}
			x := [3]float64{1, s.sum, max(-0.3, min(0.3, m))}
			p := 1 / (1 + math.Exp(-(w[0] + w[1]*x[1] + w[2]*x[2])))
			for a := range x {
				g[a] += (s.same - p) * x[a]
				for b := range x {
					h[a][b] += p * (1 - p) * x[a] * x[b]
				}
			}
		}
		for a := range h {
			h[a][a] += 1e-3
		}
		d := solve(h, g)
		for a := range w {
			w[a] += d[a]
		}
	}
	c.Offset, c.Slope, c.Margin = w[0], w[1], w[2]
	return c
}

// solve solves three equations by Gauss's elimination; h is positive definite.
func solve(h [3][3]float64, g [3]float64) [3]float64 {
	for i := range 3 {
		for j := i + 1; j < 3; j++ {
			by := h[j][i] / h[i][i]
			for k := range 3 {
				h[j][k] -= by * h[i][k]
			}
			g[j] -= by * g[i]
		}
	}
	for i := 2; i >= 0; i-- {
		for k := i + 1; k < 3; k++ {
			g[i] -= h[i][k] * g[k]
		}
		g[i] /= h[i][i]
	}
	return g
}

// block is neighbouring lookups in order of score.
type block struct{ score, good, n float64 }

// table makes the points: lookups in order of score, perPoint to a block, pooled until
// they are monotone (Ayer and others, Annals of Mathematical Statistics 26, 1955). A
// point's posterior is a Beta with the logistic function's opinion as prior.
func table(c *decide.Calibration, all []seen) []decide.Point {
	score := func(s seen) float64 {
		m := s.margin
		if math.IsNaN(m) {
			m = c.MeanMargin
		}
		return c.Offset + c.Slope*s.sum + c.Margin*max(-0.3, min(0.3, m))
	}
	slices.SortFunc(all, func(a, b seen) int { return cmp.Compare(score(a), score(b)) })
	var blocks []block
	for at := 0; at < len(all); at += perPoint {
		var b block
		for _, s := range all[at:min(at+perPoint, len(all))] {
			b.score += score(s)
			b.good += s.same
			b.n++
		}
		b.score /= b.n
		blocks = append(blocks, b)
		for len(blocks) > 1 {
			x, y := blocks[len(blocks)-2], blocks[len(blocks)-1]
			if x.good/x.n < y.good/y.n {
				break
			}
			blocks = append(blocks[:len(blocks)-2], block{(x.score*x.n + y.score*y.n) / (x.n + y.n), x.good + y.good, x.n + y.n})
		}
	}
	var points []decide.Point
	for _, b := range blocks {
		p := 1 / (1 + math.Exp(-b.score))
		good, bad := b.good+prior*p, b.n-b.good+prior*(1-p)
		q := decide.Point{Score: b.score, Probability: good / (good + bad), Lower: decide.BetaQuantile(1-decide.Lower90, good, bad)}
		if n := len(points); n > 0 {
			q.Probability, q.Lower = max(q.Probability, points[n-1].Probability), max(q.Lower, points[n-1].Lower)
			if q.Score <= points[n-1].Score {
				continue
			}
		}
		points = append(points, q)
	}
	return points
}
