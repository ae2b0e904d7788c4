package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"purser/ledger"
	"purser/proxy/price"
	"purser/proxy/route/learned"
	"purser/semcache/embed"
)

// models are the three that are routed among, by size, as the catalogue prices them.
var models = [3]struct{ name, provider, model string }{
	{"small", "openai", "gpt-4.1-nano"}, {"medium", "openai", "gpt-4.1-mini"}, {"large", "openai", "gpt-4.1"},
}

// priced is the date whose prices are taken.
var priced = ledger.Instant(time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC).UnixNano())

// answerTokens is how long every answer is taken to be.
const answerTokens = 512

// world is examples to learn from and to be judged by.
type world struct {
	train, test []learned.Example // with drawn outcomes: 0 or 1
	known       []learned.Example // test, with how often each model answers well
	of          []int             // kind of each of test
}

// newWorld draws one. Outcomes are drawn for each prompt and model by itself.
func newWorld(train, test int, seed uint64) (*world, error) {
	table, err := embed.NewStatic()
	if err != nil {
		return nil, err
	}
	catalogue := price.Embedded()
	r := rand.New(rand.NewPCG(seed, 6))
	w := &world{}
	for i, p := range prompts(train+test, r) {
		v := make([]float32, table.Dim())
		if err := table.Embed(context.Background(), v, p.text); err != nil {
			return nil, err
		}
		drawn := learned.Example{Vector: v, Quality: map[string]float64{}, Cost: map[string]ledger.Amount{}}
		known := learned.Example{Vector: v, Quality: map[string]float64{}, Cost: drawn.Cost}
		for j, m := range models {
			q := kinds[p.kind].quality[j]
			known.Quality[m.name] = q
			drawn.Quality[m.name] = 0
			if r.Float64() < q {
				drawn.Quality[m.name] = 1
			}
			rate, ok := catalogue.Find(m.provider, m.model, priced)
			if !ok {
				return nil, fmt.Errorf("the catalogue has no price of %s", m.model)
			}
			drawn.Cost[m.name] = rate.Cost(&price.Usage{price.InputText: int64(len(p.text)+3) / 4, price.OutputText: answerTokens}, price.Standard)
		}
		if i < train {
			w.train = append(w.train, drawn)
			continue
		}
		w.test, w.known, w.of = append(w.test, drawn), append(w.known, known), append(w.of, p.kind)
	}
	return w, nil
}

// row is what one way of routing comes to.
type row struct {
	name    string
	alpha   float64       // of learned ones, else -1
	quality float64       // of drawn outcomes
	err     float64       // standard error of it
	cost    ledger.Amount // of all
	regret  float64       // by how often models answer well: what the best would have had more
}

// ways are the rows for a router as it is; the first is the router's own.
func (w *world) ways(r *learned.Router, seed uint64) ([]row, error) {
	drawn, err1 := r.Evaluate(w.test, seed)
	known, err2 := r.Evaluate(w.known, seed)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	var out []row
	for i, s := range drawn {
		out = append(out, row{s.Name, -1, s.Quality, s.Error, s.Cost, known[i].Regret})
		if s.Name == "best known" { // by the kind, not by what happened to be drawn
			out[i].quality, out[i].err, out[i].cost, out[i].regret = w.oracle()
		}
	}
	return out, nil
}

// oracle is who knows of each kind which model answers it best, and asks that.
func (w *world) oracle() (quality, standardError float64, cost ledger.Amount, regret float64) {
	best := make([]learned.Example, 0, len(w.test))
	for i := range w.test {
		top := 0
		for j := range models {
			if q := kinds[w.of[i]].quality; q[j] > q[top] {
				top = j
			}
		}
		name := models[top].name
		best = append(best, learned.Example{Quality: map[string]float64{name: w.test[i].Quality[name]}})
		cost += w.test[i].Cost[name]
		quality += w.test[i].Quality[name]
	}
	n := float64(len(best))
	quality /= n
	return quality, deviation(quality, n), cost, 0
}

// figures are all rows, and the alpha that was tuned.
func figures(w *world, seed uint64, keep float64) (rows []row, tuned float64, err error) {
	o := learned.Options{Embedder: embed.StaticID(), Seed: seed}
	if tuned, err = learned.Tune(w.train, o, keep); err != nil {
		return nil, 0, err
	}
	r, err := learned.Train(w.train, o)
	if err != nil {
		return nil, 0, err
	}
	for _, alpha := range []float64{0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1} {
		r.Alpha = alpha
		list, err := w.ways(r, seed)
		if err != nil {
			return nil, 0, err
		}
		list[0].alpha = alpha
		rows = append(rows, list[0])
	}
	r.Alpha = tuned
	list, err := w.ways(r, seed)
	if err != nil {
		return nil, 0, err
	}
	list[0].name, list[0].alpha = "learned, tuned", tuned
	return append(rows, list...), tuned, nil
}
