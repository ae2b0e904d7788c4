package planted

import (
	"fmt"
	"math"
	"strings"

	"purser/internal/record"
	"purser/proxy/price"
)

// about is a number near another, as lengths of texts are: lognormal.
func (w *world) about(n, spread float64) int64 {
	return int64(n * math.Exp(spread*w.rand.NormFloat64()))
}

// applications send documents along, and some too many.
func (w *world) applications() {
	finder := caller{org: "acme", key: "acme-search", feature: "search", model: "gpt-4.1", system: "Answer from the documents."}
	lawyer := finder
	lawyer.feature, lawyer.system = "contracts", "Answer from the contract."
	unknown := finder
	unknown.feature, unknown.system = "notes", "Answer from the notes."
	for range 1000 {
		w.finds(finder, "good: documents", 0, 0.85)
		w.finds(lawyer, "good: a short contract", 0, 0.75)
	}
	for range 110 {
		junk := w.between(12_000, 20_000)
		p := w.finds(finder, "documents that nobody needs", junk, 0.70)
		p.wasted("oversized_context", w.less(p, func(u *price.Usage) { u[price.InputText] -= junk }))
		w.finds(lawyer, "good: a long contract", w.between(12_000, 20_000), 0.95)
	}
	for range 200 {
		w.finds(unknown, "good: notes", w.between(0, 1)*w.between(0, 20_000), -1)
	}
	logs := caller{org: "initech", key: "initech-ops", feature: "logs", model: "gpt-4.1-mini", system: "Say what is wrong."}
	for range 300 {
		n, ratio := w.about(4000, 0.3), 0.65+0.1*w.rand.Float64()
		if w.chance(0.4) {
			w.send("good: logs, compressed", request{caller: logs, at: w.sometime(), turns: []turn{{"user", w.asks()}}, beside: int64(float64(n) * ratio), refined: func(r *record.Record) {
				in := r.Usage[price.InputText]
				r.Shape = record.Shape{Level: "lossless", Before: in + n - int64(float64(n)*ratio), After: in}
			}})
			continue
		}
		p := w.send("logs as they are", request{caller: logs, at: w.sometime(), turns: []turn{{"user", w.asks()}}, beside: n})
		p.wasted("oversized_context", w.less(p, func(u *price.Usage) { u[price.InputText] -= int64(float64(n) * (1 - ratio)) }))
	}
}

// finds asks something of documents, of which about 2,000 tokens are needed. A success
// below 0 is one that nobody reports.
func (w *world) finds(a caller, kind string, more int64, success float64) *Planted {
	p := w.send(kind, request{caller: a, at: w.sometime(), turns: []turn{{"user", w.asks()}}, beside: w.about(2000, 0.25) + more})
	if success >= 0 && w.chance(0.7) {
		p.report(w.chance(success))
	}
	return p
}

// tasks are done by a dear model and a cheap one.
func (w *world) tasks() {
	do := func(feature, model, kind string, n int, success, reported float64) {
		for range n {
			w.serial++
			p := w.send(kind, request{at: w.sometime(), output: w.between(20, 120),
				caller: caller{org: "globex", key: "globex-batch", feature: feature, model: model, system: "Do this: " + feature + "."},
				turns:  []turn{{"user", fmt.Sprintf("item %d: %s", w.serial, strings.Repeat(w.one(topics)+" ", int(w.between(20, 60))))}}})
			if w.chance(reported) {
				p.report(w.chance(success))
			}
			if kind == "a model that is too good" {
				p.wasted("stronger_model", p.charged(p.Record.Priced-w.rate("gpt-4.1-mini").Cost(&p.Record.Usage, price.Standard)))
			}
		}
	}
	do("classify", "gpt-4.1", "a model that is too good", 700, 0.93, 0.9)
	do("classify", "gpt-4.1-mini", "good: the cheap model", 700, 0.94, 0.9)
	do("reason", "gpt-4.1", "good: the dear model is better", 400, 0.92, 0.9)
	do("reason", "gpt-4.1-mini", "good: the cheap model", 400, 0.72, 0.9)
	do("summarise", "gpt-4.1", "good: too little is known", 200, 0.92, 0.06)
	do("summarise", "gpt-4.1-mini", "good: the cheap model", 200, 0.92, 0.06)
}
