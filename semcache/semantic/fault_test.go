package semantic

import (
	"sync"
	"testing"
	"time"
)

// TestEmbedderThatFailsIsAMissThatIsLearnedLater: the request goes on at once, and its
// question is an entry all the same if the embedder comes back.
func TestEmbedderThatFailsIsAMissThatIsLearnedLater(t *testing.T) {
	w := newWorld(t, nil)
	w.embedder.fails.Store(true)
	f := w.expect(question(original), Miss, reasonEmbedder)
	w.embedder.fails.Store(false)
	w.answer(question(original), f, "blue")
	w.expect(question(paraphrase), Serve, reasonSimilar)
	if n := w.counted(countEmbedFault); n != 1 {
		t.Errorf("%d faults counted", n)
	}
}

func TestEmbedderThatIsSlowIsWaitedForBriefly(t *testing.T) {
	w := newWorld(t, func(w *world) { w.cfg.EmbedWait = 2 * time.Millisecond })
	w.teach(question(original), "blue")
	w.embedder.slow.Store(true)
	for range restAfter {
		w.expect(question(paraphrase), Miss, reasonEmbedder)
	}
	calls := w.embedder.calls.Load()
	w.expect(question(paraphrase), Miss, reasonEmbedder)
	if w.embedder.calls.Load() != calls {
		t.Error("an embedder that fails again and again is waited for")
	}
	w.expect(question(original), Serve, reasonNormal) // needs none
	w.embedder.slow.Store(false)
	w.pass(restFor)
	w.expect(question(paraphrase), Serve, reasonSimilar)
}

func TestVectorsOfWrongLengthAreAFault(t *testing.T) {
	w := newWorld(t, nil)
	w.embedder.long.Store(true)
	w.expect(question(original), Miss, reasonEmbedder)
	if n := w.counted(countEmbedFault); n != 1 {
		t.Errorf("%d faults counted", n)
	}
}

// TestFillsAndLookupsTogether is for the race detector: whatever is found was stored
// in that scope.
func TestFillsAndLookupsTogether(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.cfg.Entries, w.cfg.TenantEntries, w.cfg.ScopeEntries, w.cfg.Inserts, w.cfg.Texts = 12, 8, 6, 1_000_000, 4
	})
	const tenants, rounds = 3, 150
	var wg sync.WaitGroup
	for g := range 6 {
		wg.Go(func() {
			tenant := string(rune('a' + g%tenants))
			for i := range rounds {
				q := question("race " + string(rune('a'+i%9)) + "lpha of the tenant is what")
				q.In.Tenant = tenant
				f := w.tier.Ask(t.Context(), q)
				if f.Verdict == Serve && [8]byte(f.Answer[:8]) != tenantOf(tenant) {
					t.Errorf("the answer of another tenant")
				}
				k := w.keyFor(tenant)
				w.shelf.put(k, "an answer")
				w.tier.Learn(Lesson{Visit: f.Visit, Key: k, Answer: []byte("an answer")})
				switch i % 25 {
				case 7:
					w.tier.ForgetAnswer(k)
				case 13:
					w.tier.dropExpired()
				case 19:
					if _, err := w.tier.Purge(t.Context(), Which{Tenant: tenant}); err != nil {
						t.Error(err)
					}
				case 23:
					w.tier.Stats()
				}
			}
		})
	}
	wg.Wait()
	w.tier.busy.Wait()
	if n := w.tier.rows.Load(); n != int64(w.rowsInMemory()) {
		t.Errorf("%d rows counted, %d in memory", n, w.rowsInMemory())
	}
}
