package main

import (
	"math"
	"math/rand/v2"

	"purser/semcache/decide"
)

// Settings of the network, trained with Adam (Kingma and Ba, arXiv 1412.6980) and
// decay of weights.
const (
	netUnits  = 24
	netEpochs = 10
	netBatch  = 128
	netRate   = 2e-3
	netDecay  = 2e-5
)

// pairOf are the two vectors of a pair.
type pairOf struct{ u, v []float32 }

// fitNet trains the network that compares two vectors.
func fitNet(pairs []pairOf, y []float64, dim int) decide.Net {
	r := rand.New(rand.NewPCG(3, 5))
	width := 2*dim + 1
	n := decide.Net{Units: netUnits, Hidden: make([]float32, netUnits*width), Out: make([]float32, netUnits+1)}
	for i := range n.Hidden {
		n.Hidden[i] = float32(r.NormFloat64() * math.Sqrt(2/float64(width)))
	}
	for i := range netUnits {
		n.Out[i] = float32(r.NormFloat64() * math.Sqrt(1/float64(netUnits)))
	}
	hidden, out := newAdam(len(n.Hidden)), newAdam(len(n.Out))
	in := make([]float32, 2*dim)
	act := make([]float32, netUnits)
	step := 0
	for epoch := range netEpochs {
		rate := netRate * (1 - 0.9*float64(epoch)/netEpochs)
		order := r.Perm(len(pairs))
		for at := 0; at < len(order); at += netBatch {
			batch := order[at:min(at+netBatch, len(order))]
			clear(hidden.grad)
			clear(out.grad)
			for _, i := range batch {
				decide.NetInputs(in, pairs[i].u, pairs[i].v)
				z := n.Out[netUnits]
				for u := range netUnits {
					row := n.Hidden[u*width : (u+1)*width]
					h := row[2*dim]
					for k, x := range in {
						h += x * row[k]
					}
					act[u] = max(h, 0)
					z += act[u] * n.Out[u]
				}
				d := float32((1/(1+math.Exp(-float64(z))) - y[i]) / float64(len(batch)))
				for u := range netUnits {
					out.grad[u] += d * act[u]
					if act[u] <= 0 {
						continue
					}
					back := d * n.Out[u]
					row := hidden.grad[u*width : (u+1)*width]
					row[2*dim] += back
					for k, x := range in {
						row[k] += back * x
					}
				}
				out.grad[netUnits] += d
			}
			step++
			hidden.step(n.Hidden, rate, step)
			out.step(n.Out, rate, step)
		}
	}
	return n
}

type adam struct{ grad, m, v []float32 }

func newAdam(n int) *adam {
	return &adam{make([]float32, n), make([]float32, n), make([]float32, n)}
}

func (a *adam) step(w []float32, rate float64, t int) {
	const b1, b2 = 0.9, 0.999
	by := float32(rate * math.Sqrt(1-math.Pow(b2, float64(t))) / (1 - math.Pow(b1, float64(t))))
	for i, g := range a.grad {
		g += netDecay * w[i] * 10
		a.m[i] = b1*a.m[i] + (1-b1)*g
		a.v[i] = b2*a.v[i] + (1-b2)*g*g
		w[i] -= by * a.m[i] / (float32(math.Sqrt(float64(a.v[i]))) + 1e-8)
	}
}
