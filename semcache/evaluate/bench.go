package evaluate

import (
	"context"
	"math"

	"purser/semcache/decide"
	"purser/semcache/embed"
	"purser/semcache/labelled"
)

// Bench is the decision as a node makes it: the embedded table and the model that was
// fitted with it.
type Bench struct {
	table *embed.Static
	model *decide.Model
}

// New makes a bench of what is compiled in.
func New() (*Bench, error) {
	table, err := embed.NewStatic()
	if err != nil {
		return nil, err
	}
	params, err := decide.Fitted(table.ID())
	if err != nil {
		return nil, err
	}
	b := &Bench{table: table}
	b.model, err = decide.NewModel(params, b.vectors)
	return b, err
}

func (b *Bench) vectors(dst []float32, word string) bool {
	return b.table.Embed(context.Background(), dst, word) == nil
}

func (b *Bench) view(text string) *decide.View { return b.model.View(decide.Prepare(text)) }

// similar is the cosine of two texts; 0 where the table knows one of them not at all.
func similar(a, b *decide.View) float64 {
	if a.Sentence() == nil || b.Sentence() == nil {
		return 0
	}
	return float64(embed.Cosine(a.Sentence(), b.Sentence()))
}

// scored is a pair and what the decision says of it.
type scored struct {
	same       bool
	score      float64 // -Inf after a veto
	similarity float64
	grams      float64
	category   string
	verdict    decide.Verdict
}

func (s *scored) vetoed() bool { return math.IsInf(s.score, -1) }

// score judges pairs without any other candidate beside them.
func (b *Bench) score(pairs []labelled.Pair) []scored {
	out := make([]scored, len(pairs))
	for i, p := range pairs {
		x, y := b.view(p.A), b.view(p.B)
		sim := similar(x, y)
		d := b.model.Judge(x, y, sim, decide.NoMargin)
		out[i] = scored{p.Same, d.Score, sim, decide.GramJaccard(x.Text, y.Text), p.Category, d.Verdict}
		if x.Text.Normal == y.Text.Normal {
			out[i].score = math.Inf(1)
		}
	}
	return out
}
