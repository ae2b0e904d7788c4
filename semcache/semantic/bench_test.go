package semantic

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"purser/semcache/decide"
	"purser/semcache/embed"
)

// BenchmarkAsk is what a lookup costs in a scope of 10,000 entries: embedding, search,
// guards and decision.
func BenchmarkAsk(b *testing.B) {
	table, err := embed.NewStatic()
	if err != nil {
		b.Fatal(err)
	}
	w := newWorld(b, func(w *world) {
		w.with.Embedder, w.with.Model, w.with.Seal, w.cfg.Inserts = table, fittedModel(b), testSeal{3}, 1_000_000
	})
	words := []string{"server", "garden", "python", "recipe", "engine", "violin", "budget", "planet", "bridge", "camera", "doctor", "forest", "guitar", "harbor", "island", "jacket", "kitchen", "ladder", "market", "needle", "orange", "pencil"}
	text := func(i int) string {
		n := len(words)
		return fmt.Sprintf("How do I %s the %s of a %s with a %s?", []string{"fix", "build", "find", "paint", "move"}[i%5], words[i%n], words[i/n%n], words[i/n/n%n])
	}
	for i := range 10_000 {
		q := question(text(i))
		w.teachQuietly(q, "an answer")
	}
	b.Logf("%d entries", w.tier.rows.Load())
	for name, ask := range map[string]func(i int) string{
		"miss":   func(i int) string { return text(10_000 + i%600) },
		"far":    func(i int) string { return fmt.Sprintf("Why is the sky over planet %d so blue at noon?", i) },
		"normal": func(i int) string { return text(i % 10_000) },
	} {
		b.Run(name, func(b *testing.B) {
			var took []time.Duration
			i := 0
			for b.Loop() {
				q := question(ask(i))
				began := time.Now()
				w.tier.Ask(b.Context(), q)
				took = append(took, time.Since(began))
				i++
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2])/1e3, "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100])/1e3, "p99-µs")
		})
	}
}

// teachQuietly makes a question an entry without looking it up.
func (w *world) teachQuietly(q *Question, body string) {
	v := &Visit{name: q.In.Tenant, tenant: tenantOf(q.In.Tenant), route: q.In.Route, scope: q.In.scope(w.tier.embedder.ID()), text: q.Text, policy: q.Policy, read: q.Read}
	v.id = entryID(v.scope, decide.Normalize(q.Text))
	k := w.keyFor(q.In.Tenant)
	w.shelf.put(k, body)
	w.tier.learn(&Lesson{Visit: v, Key: k, Answer: []byte(body)})
}
