package evaluate

import (
	"math"
	"math/rand/v2"

	"purser/semcache/labelled"
)

// vCache is the decision of "vCache: Verified Semantic Prompt Caching" (Schroeder and
// others, arXiv 2502.03771), made from the paper: each stored prompt has observations
// (similarity, right or not) of its neighbours, and a logistic curve over similarity
// with threshold t and slope g fitted to them. The nearest stored prompt is used with
// a probability that keeps the chance of a right answer above 1-delta: with
// a(e) = (1-e)·L(s; t'(e), g), where t'(e) is the upper end of the confidence band of t
// at level 1-e, the prompt is explored with probability
//
//	min over e of ((1-delta) - a(e)) / (1 - a(e)).
//
// An entry without observations on either side explores. It is a baseline; nothing of
// it is in the request path.
type vCache struct {
	delta float64
	harsh bool // what nobody labelled is not the same; else it teaches nothing
	seen  map[int][]observation
	fits  map[int]curve
	r     *rand.Rand
}

type observation struct {
	s     float64
	right bool
}

// curve is a fitted threshold and slope, and the standard error of the threshold.
type curve struct{ t, g, se float64 }

// enough is how many observations an entry needs before it serves: six, as vCache's
// published measurements have it.
const enough = 6

func newVCache(delta float64, harsh bool, r *rand.Rand) *vCache {
	return &vCache{delta: delta, harsh: harsh, seen: map[int][]observation{}, fits: map[int]curve{}, r: r}
}

func (v *vCache) serve(w *world, asked int, stored []bool) served {
	for _, h := range w.near[asked] {
		id := int(h.ID)
		if id == asked || !stored[id] {
			continue
		}
		s := float64(h.Score)
		if v.r.Float64() >= v.explore(id, s) {
			return served{hit: id, instead: -1}
		}
		if j := w.classes.Judge(asked, id); v.harsh || j != labelled.Unlabelled {
			v.seen[id] = append(v.seen[id], observation{s, j == labelled.Right})
			delete(v.fits, id)
		}
		return served{hit: -1, explored: true, instead: -1}
	}
	return served{hit: -1, instead: -1}
}

// explore is the probability of a fresh answer.
func (v *vCache) explore(id int, s float64) float64 {
	seen := v.seen[id]
	if len(seen) < enough {
		return 1
	}
	c, ok := v.fits[id]
	if !ok {
		c = fitCurve(seen)
		v.fits[id] = c
	}
	least := 1.0
	for e := 0.005; e < 0.5; e += 0.01 {
		t := c.t + normalQuantile(1-e)*c.se
		a := (1 - e) / (1 + math.Exp(-c.g*(s-t)))
		least = min(least, max(0, (1-v.delta-a)/(1-a)))
	}
	return least
}

// fitCurve is the maximum a posteriori fit of g·(s-t), with a weak prior on both
// weights, and the error of t by the delta method.
func fitCurve(seen []observation) curve {
	// Weights of 1 and s-0.9: centred, so that they are nearly independent.
	const centre, ridge = 0.9, 0.05
	w0, w1 := 0.0, 10.0
	var h00, h01, h11 float64
	for range 25 {
		g0, g1 := -ridge*w0, -ridge*0.01*(w1-10)
		h00, h01, h11 = ridge, 0, ridge*0.01
		for _, o := range seen {
			x := o.s - centre
			p := 1 / (1 + math.Exp(-(w0 + w1*x)))
			y := 0.0
			if o.right {
				y = 1
			}
			g0 += y - p
			g1 += (y - p) * x
			q := p * (1 - p)
			h00 += q
			h01 += q * x
			h11 += q * x * x
		}
		det := h00*h11 - h01*h01
		if det <= 0 {
			break
		}
		w0 += (g0*h11 - g1*h01) / det
		w1 += (g1*h00 - g0*h01) / det
	}
	if w1 < 1 { // similarity says nothing here
		return curve{t: 2, g: 10, se: 1}
	}
	det := h00*h11 - h01*h01
	v00, v01, v11 := h11/det, -h01/det, h00/det
	d0, d1 := -1/w1, w0/(w1*w1)
	return curve{t: centre - w0/w1, g: w1, se: math.Sqrt(max(0, d0*d0*v00+2*d0*d1*v01+d1*d1*v11))}
}

// normalQuantile is the quantile of the standard normal distribution.
func normalQuantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }
