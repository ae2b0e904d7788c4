package learned

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"purser/ledger"
)

// Sums is what a way of routing comes to over examples.
type Sums struct {
	Name    string        `json:"name"`
	N       int           `json:"n"`
	Quality float64       `json:"quality"` // mean
	Error   float64       `json:"standard_error"`
	Cost    ledger.Amount `json:"cost_nanousd"` // of all
	// Regret is the mean of the quality that the best candidate of each example has
	// beyond the one that was asked.
	Regret float64 `json:"regret"`
}

// Evaluate compares the router with each candidate alone, with chance, and with who
// knows the best. Examples have outcomes and costs of every candidate.
func (r *Router) Evaluate(examples []Example, seed uint64) ([]Sums, error) {
	names := make([]string, 0, len(r.Candidates))
	for _, c := range r.Candidates {
		names = append(names, c.ID)
	}
	var fault error
	draw := random{seed}
	ways := []struct {
		name string
		pick func(e *Example) string
	}{
		{"learned", func(e *Example) string {
			name, err := r.pick(e, names)
			fault = errors.Join(fault, err)
			return name
		}},
		{"random", func(*Example) string { return names[int(draw.next()%uint64(len(names)))] }},
		{"best known", func(e *Example) string { return best(e, names) }},
	}
	for _, name := range names {
		ways = append(ways, struct {
			name string
			pick func(e *Example) string
		}{"always " + name, func(*Example) string { return name }})
	}
	var out []Sums
	for _, w := range ways {
		s := Sums{Name: w.name, N: len(examples)}
		var squares float64
		for i := range examples {
			e := &examples[i]
			name := w.pick(e)
			q, ok := e.Quality[name]
			cost, priced := e.Cost[name]
			if !ok || !priced {
				return nil, errors.Join(fault, fmt.Errorf("example %d has no outcome or no cost of %s", i, name))
			}
			s.Quality += q
			squares += q * q
			s.Cost += cost
			s.Regret += e.Quality[best(e, names)] - q
		}
		if n := float64(len(examples)); n > 1 {
			s.Quality, s.Regret = s.Quality/n, s.Regret/n
			s.Error = math.Sqrt(max(0, squares/n-s.Quality*s.Quality) / (n - 1))
		}
		out = append(out, s)
	}
	return out, fault
}

// pick is the candidate that the router asks for an example.
func (r *Router) pick(e *Example, names []string) (string, error) {
	options := make([]Option, 0, len(names))
	for _, name := range names {
		options = append(options, Option{ID: name, Cost: e.Cost[name]})
	}
	s, err := r.Score(e.Vector, options)
	if err != nil {
		return "", err
	}
	return names[slices.Index(s.Scores, slices.Max(s.Scores))], nil
}

// best is the candidate with the best outcome, the cheapest of several.
func best(e *Example, names []string) string {
	return slices.MinFunc(names, func(a, b string) int {
		switch qa, qb := e.Quality[a], e.Quality[b]; {
		case qa > qb || qa == qb && e.Cost[a] < e.Cost[b]:
			return -1
		case qa < qb || e.Cost[a] > e.Cost[b]:
			return 1
		}
		return 0
	})
}

// alphas are those that tuning tries: closest where quality counts most, as there a step
// moves most of the cost.
var alphas = []float64{0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.82, 0.84, 0.86, 0.88, 0.9, 0.92, 0.94, 0.96, 0.98, 0.99, 1}

// folds is how many parts of the examples are held out in turn to tune alpha.
const folds = 5

// Tune finds the alpha that costs least while quality keeps a share of that of the best
// candidate alone, as measured on examples that were held out.
func Tune(examples []Example, o Options, keep float64) (float64, error) {
	if len(examples) < 2*folds {
		return 0, fmt.Errorf("there are %d examples, and tuning needs %d", len(examples), 2*folds)
	}
	type point struct {
		quality, cost float64
	}
	curve := make([]point, len(alphas))
	single := map[string]float64{}
	for fold := range folds {
		var in, out []Example
		for i := range examples {
			if i%folds == fold {
				out = append(out, examples[i])
			} else {
				in = append(in, examples[i])
			}
		}
		r, err := Train(in, o)
		if err != nil {
			return 0, err
		}
		for step := range curve {
			r.Alpha = alphas[step]
			sums, err := r.Evaluate(out, o.Seed)
			if err != nil {
				return 0, err
			}
			curve[step].quality += sums[0].Quality * float64(sums[0].N)
			curve[step].cost += float64(sums[0].Cost)
			if step == 0 {
				for _, s := range sums[3:] {
					single[s.Name] += s.Quality * float64(s.N)
				}
			}
		}
	}
	var top float64
	for _, q := range single {
		top = max(top, q)
	}
	found := len(curve) - 1
	for step := len(curve) - 1; step >= 0; step-- {
		if p := curve[step]; p.quality >= keep*top && p.cost < curve[found].cost {
			found = step
		}
	}
	return alphas[found], nil
}
