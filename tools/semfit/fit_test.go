package main

import (
	"math"
	"math/rand/v2"
	"testing"

	"purser/semcache/decide"
)

func TestEnsembleLearnsAnInteraction(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var x []decide.Features
	var y, w []float64
	for range 4000 {
		var f decide.Features
		f[0], f[1] = r.Float32(), r.Float32()
		label := 0.0
		if (f[0] > 0.5) != (f[1] > 0.5) {
			label = 1
		}
		x, y, w = append(x, f), append(y, label), append(w, 1)
	}
	s := ensemble
	s.trees, s.features = 60, 1
	bias, trees := s.fit(x, y, w)
	m, err := decide.NewModel(&decide.Params{Features: decide.FeaturesVersion, Bias: bias, Trees: trees, Net: decide.Net{Out: make([]float32, 1)}, Calibration: identity}, nil)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i := range x {
		if (m.Sum(&x[i]) > 0) == (y[i] == 1) {
			right++
		}
	}
	if right < 3800 {
		t.Errorf("%d of 4000 right", right)
	}
}

func TestNetLearnsWhichValueCounts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const dim = 8
	var pairs []pairOf
	var y []float64
	for range 4000 {
		p := pairOf{make([]float32, dim), make([]float32, dim)}
		for i := range dim {
			p.u[i], p.v[i] = float32(r.NormFloat64())/3, float32(r.NormFloat64())/3
		}
		label := 0.0
		if math.Abs(float64(p.u[3]-p.v[3])) < 0.3 {
			label = 1
		}
		pairs, y = append(pairs, p), append(y, label)
	}
	n := fitNet(pairs, y, dim)
	in := make([]float32, 2*dim)
	right := 0
	for i, p := range pairs {
		decide.NetInputs(in, p.u, p.v)
		if (n.Forward(in) > 0) == (y[i] == 1) {
			right++
		}
	}
	if right < 3600 {
		t.Errorf("%d of 4000 right", right)
	}
}

func TestCalibrationIsMonotoneAndNear(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var all []seen
	for range 6000 {
		s := seen{sum: r.NormFloat64() * 2, margin: r.Float64() * 0.1}
		if r.Float64() < 1/(1+math.Exp(-(0.5*s.sum-0.3))) {
			s.same = 1
		}
		all = append(all, s)
	}
	c := logistic(all)
	if math.Abs(c.Slope-0.5) > 0.06 || math.Abs(c.Offset+0.3) > 0.15 {
		t.Errorf("slope %v, offset %v", c.Slope, c.Offset)
	}
	points := table(&c, all)
	if len(points) < 10 {
		t.Fatalf("%d points", len(points))
	}
	for i, q := range points {
		want := 1 / (1 + math.Exp(-q.Score))
		if q.Lower > q.Probability || math.Abs(q.Probability-want) > 0.12 {
			t.Errorf("point %d: %+v, want about %.3f", i, q, want)
		}
		if i > 0 && (q.Score <= points[i-1].Score || q.Probability < points[i-1].Probability || q.Lower < points[i-1].Lower) {
			t.Errorf("point %d is below the one before", i)
		}
	}
}
