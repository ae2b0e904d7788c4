package semantic

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"purser/semcache/decide"
	"purser/semcache/embed"

	"golang.org/x/sys/unix"
)

// threadTime is how long this thread has run: what the machine does besides is not in it.
func threadTime(b *testing.B) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		b.Fatal(err)
	}
	return time.Duration(ts.Nano())
}

// BenchmarkAsk is what a lookup costs in a scope of 10,000 entries: embedding, search,
// guards and decision; by the clock, and by the processor's time, for machines that do
// other things meanwhile.
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
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			var took, busy []time.Duration
			i := 0
			for b.Loop() {
				q := question(ask(i))
				began, worked := time.Now(), threadTime(b)
				w.tier.Ask(b.Context(), q)
				took, busy = append(took, time.Since(began)), append(busy, threadTime(b)-worked)
				i++
			}
			slices.Sort(took)
			slices.Sort(busy)
			b.ReportMetric(float64(took[len(took)/2])/1e3, "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100])/1e3, "p99-µs")
			b.ReportMetric(float64(busy[len(busy)/2])/1e3, "cpu-p50-µs")
			b.ReportMetric(float64(busy[len(busy)*99/100])/1e3, "cpu-p99-µs")
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
