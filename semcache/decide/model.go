package decide

import (
	"errors"
	"math"
)

// Model says how likely a stored answer answers a prompt. It is immutable and safe
// for concurrent use.
//
// What it computes: a network of one hidden layer compares the two texts' vectors
// (the learned similarity); an ensemble of decision trees weighs that and the
// features of [FeatureNames]; a logistic function makes one score of the ensemble's
// and the margin to the next candidate; and a table, monotone and made from pairs
// that no part of it was fitted on, turns the score into a probability and a lower
// bound. Every step is a sum in a fixed order: the same on every machine.
type Model struct {
	params  *Params
	vectors WordVectors
}

// Lower90 is the share of the posterior above the lower bound.
const Lower90 = 0.90

// NoMargin stands for the margin where no other candidate is known.
var NoMargin = math.NaN()

var errParams = errors.New("decide: parameters for other features, or another dimension")

// NewModel makes a model of fitted parameters and the table they were fitted with.
func NewModel(p *Params, vectors WordVectors) (*Model, error) {
	if p.Features != FeaturesVersion || len(p.Net.Hidden) != p.Net.Units*(2*p.Dim+1) || len(p.Net.Out) != p.Net.Units+1 {
		return nil, errParams
	}
	return &Model{params: p, vectors: vectors}, nil
}

// View is a text with the vectors that the model needs of it. It is immutable.
type View struct {
	Text *Text

	words    matrix
	sentence []float32 // nil where the table knows no word of it
}

// View looks up the vectors of a text: once for a prompt, once for each candidate.
func (m *Model) View(t *Text) *View { return NewView(t, m.params.Dim, m.vectors) }

// NewView looks up the vectors of a text in a table.
func NewView(t *Text, dim int, vectors WordVectors) *View {
	v := &View{Text: t, words: matrixOf(t, dim, vectors), sentence: make([]float32, dim)}
	if !vectors(v.sentence, t.Normal) {
		v.sentence = nil
	}
	return v
}

// Decision is what is known of one pair.
type Decision struct {
	Verdict  Verdict
	Features Features
	// Probability that the stored answer answers what was asked, and a bound that it
	// is above with probability Lower90. Both are 0 after a veto.
	Probability, Lower float64
	// Score orders pairs as Probability does, without its steps.
	Score float64
}

// Judge decides on one candidate. similarity is the cosine of the table's vectors of
// both texts; margin is how much it is above that of the best other candidate, and
// below it where it is less: [NoMargin] where there is none.
func (m *Model) Judge(asked, stored *View, similarity, margin float64) Decision {
	d := Decision{Verdict: Examine(asked.Text, stored.Text)}
	if d.Verdict.Vetoed() || asked.sentence == nil || stored.sentence == nil {
		d.Score = math.Inf(-1)
		return d
	}
	d.Features = Measure(asked, stored, &d.Verdict, similarity)
	d.Features[fLearned] = m.params.Net.Score(asked, stored)
	d.Probability, d.Lower, d.Score = m.weigh(&d.Features, margin)
	return d
}

// Probability is how likely a pair with these features is right, and its lower bound.
func (m *Model) Probability(f *Features, margin float64) (p, lower float64) {
	p, lower, _ = m.weigh(f, margin)
	return p, lower
}

func (m *Model) weigh(f *Features, margin float64) (p, lower, score float64) {
	sum := m.Sum(f)
	score = m.params.Calibration.score(sum, margin)
	p, lower = m.params.Calibration.at(score)
	return p, lower, score
}

// Sum is what the ensemble says, a logit.
func (m *Model) Sum(f *Features) float64 {
	sum := m.params.Bias
	for i := range m.params.Trees {
		sum += float64(m.params.Trees[i].value(f))
	}
	return sum
}

// clampMargin keeps a margin within what the calibration saw.
func clampMargin(margin float64) float64 { return max(-0.3, min(0.3, margin)) }

// Calibration turns the ensemble's sum into a probability.
type Calibration struct {
	// Offset, Slope and Margin are of the logistic function. MeanMargin stands in for
	// a margin that is not known.
	Offset, Slope, Margin, MeanMargin float64
	// Points are scores in ascending order with what was seen around them, monotone.
	Points []Point
}

// Point is one row of the calibration table.
type Point struct{ Score, Probability, Lower float64 }

func (c *Calibration) score(sum, margin float64) float64 {
	if math.IsNaN(margin) {
		margin = c.MeanMargin
	}
	return c.Offset + c.Slope*sum + c.Margin*clampMargin(margin)
}

// at interpolates between the points; beyond them the last one holds: what was never
// seen is not better than the best that was.
func (c *Calibration) at(score float64) (p, lower float64) {
	n := len(c.Points)
	if n == 0 || math.IsNaN(score) || score < c.Points[0].Score {
		return 0, 0
	}
	for i := 1; i < n; i++ {
		a, b := c.Points[i-1], c.Points[i]
		if score < b.Score {
			t := (score - a.Score) / (b.Score - a.Score)
			return a.Probability + t*(b.Probability-a.Probability), a.Lower + t*(b.Lower-a.Lower)
		}
	}
	return c.Points[n-1].Probability, c.Points[n-1].Lower
}

// Tree is one decision tree: node 0 is its root.
type Tree []Node

// Node asks whether a feature is at most Threshold: then Left, else Right, which are
// numbers of nodes behind this one. A leaf has Left 0, and its value in Threshold.
type Node struct {
	Feature     uint8
	Left, Right uint8
	Threshold   float32
}

func (t Tree) value(f *Features) float32 {
	i := uint8(0)
	for {
		n := &t[i]
		if n.Left == 0 {
			return n.Threshold
		}
		if f[n.Feature] <= n.Threshold {
			i = n.Left
		} else {
			i = n.Right
		}
	}
}

// Net compares two vectors: its inputs are |u-v| and u·v, value by value.
type Net struct {
	Units  int
	Hidden []float32 // Units rows of 2*Dim weights and a bias
	Out    []float32 // Units weights and a bias
}

// Inputs are scaled to be about 1.
const (
	netDifference = 10
	netProduct    = 30
)

// NetInputs writes what the network sees of two unit vectors; in has twice their length.
func NetInputs(in, u, v []float32) {
	for i := range u {
		d := u[i] - v[i]
		if d < 0 {
			d = -d
		}
		in[i] = netDifference * d
		in[len(u)+i] = netProduct * float32(u[i]*v[i])
	}
}

// Score is the network's output, a logit.
func (n *Net) Score(a, b *View) float32 {
	if n.Units == 0 || a.sentence == nil || b.sentence == nil {
		return 0
	}
	in := make([]float32, 2*len(a.sentence))
	NetInputs(in, a.sentence, b.sentence)
	return n.Forward(in)
}

// Forward is the network's output for its inputs.
func (n *Net) Forward(in []float32) float32 {
	width := len(in) + 1
	out := n.Out[n.Units]
	for u := range n.Units {
		row := n.Hidden[u*width : (u+1)*width]
		if h := dot(in, row[:len(in)]) + row[len(in)]; h > 0 {
			out += float32(h * n.Out[u])
		}
	}
	return out
}

// Sentence is the vector of the whole text, or nil. It is not the caller's.
func (v *View) Sentence() []float32 { return v.sentence }
