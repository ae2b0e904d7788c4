package semantic

import (
	"math"

	"purser/semcache/decide"
)

// opinion is what is thought of giving an entry's answer.
type opinion struct {
	guard              string // the first that forbids it; "" for none
	probability, lower float64
	// For who wants to know.
	guards, doubts []string
	features       map[string]float64
}

// view readies a question for comparing.
func (t *Tier) view(text string) *decide.View { return t.model.View(decide.Prepare(text)) }

// weigh compares two questions. similarity and margin are by the embedder's vectors.
// The model was fitted with those of its own table: where the embedder is another, it
// finds candidates, and the model compares them by its own.
func (t *Tier) weigh(asked, stored *decide.View, similarity, margin float64, explain bool) (o opinion) {
	if !t.native {
		similarity, margin = cosine(asked.Sentence(), stored.Sentence()), decide.NoMargin
	}
	d := t.model.Judge(asked, stored, similarity, margin)
	if g, vetoed := d.Verdict.First(); vetoed {
		o.guard = g.String()
	}
	o.probability, o.lower = d.Probability, d.Lower
	if !explain {
		return o
	}
	for _, g := range decide.Guards() {
		switch {
		case d.Verdict.Vetoes.Has(g):
			o.guards = append(o.guards, g.String()+": "+d.Verdict.Reason(g))
		case d.Verdict.Doubts.Has(g):
			o.doubts = append(o.doubts, g.String()+": "+d.Verdict.Reason(g))
		}
	}
	if o.guard == "" {
		o.features = map[string]float64{}
		for i, name := range decide.FeatureNames {
			if f := float64(d.Features[i]); f != 0 && !math.IsNaN(f) {
				o.features[name] = f
			}
		}
	}
	return o
}

func cosine(a, b []float32) float64 {
	if a == nil || b == nil {
		return 0
	}
	var dot float32
	for i := range a {
		dot += a[i] * b[i]
	}
	return float64(dot)
}
