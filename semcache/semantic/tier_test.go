package semantic

import (
	"testing"
	"time"
)

func TestSameQuestionInOtherSpellingIsServedWithoutSimilarity(t *testing.T) {
	w := newWorld(t, nil)
	key := w.teach(question("What is the capital of France?"), "Paris.")
	before := w.embedder.calls.Load()
	f := w.expect(question("  What is the  capital of France? "), Serve, reasonNormal)
	if f.Answer != key || f.Similarity != 1 {
		t.Errorf("found %+v", f)
	}
	if w.embedder.calls.Load() != before {
		t.Error("it was embedded")
	}
}

func TestParaphraseIsServed(t *testing.T) {
	w := newWorld(t, nil)
	key := w.teach(question("how do I reverse a linked list in place"), "With three pointers.")
	if f := w.expect(question("how do I reverse in place a linked list"), Serve, reasonSimilar); f.Answer != key {
		t.Errorf("found %+v", f)
	}
}

func TestNothingIsServedThatIsUnlike(t *testing.T) {
	w := newWorld(t, nil)
	w.expect(question("what is the capital of France?"), Miss, reasonEmpty)
	w.teach(question("what is the capital of France?"), "Paris.")
	w.expect(question("explain how binary search works"), Miss, reasonFloor)
}

func TestGuardVetoes(t *testing.T) {
	w := newWorld(t, nil)
	w.teach(question("convert 100 usd to euros please"), "92")
	w.expect(question("convert 250 usd to euros please"), Miss, "guard:number")
}

func TestShadowMeasuresAndNeverServes(t *testing.T) {
	w := newWorld(t, nil)
	q := question("what is the capital of France?")
	q.Policy.Serve = false
	w.teach(q, "Paris.")
	f := w.expect(q, Would, reasonNormal)
	w.answer(q, f, "Paris.")
	s := w.tier.Stats()
	if s.Labels["agrees"] != 1 || s.Verdicts["served"] != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestEntriesExpire(t *testing.T) {
	w := newWorld(t, nil)
	q := question("what is the capital of France?")
	w.teach(q, "Paris.")
	w.pass(time.Hour - time.Second)
	w.expect(q, Serve, reasonNormal)
	w.pass(2 * time.Second)
	w.expect(q, Miss, reasonExpired)
	w.tier.dropExpired()
	w.expect(q, Miss, reasonEmpty)
	if n := w.tier.rows.Load(); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}

func TestEntryLivesNoLongerThanItsAnswer(t *testing.T) {
	w := newWorld(t, nil)
	q := question("what is the capital of France?")
	f := w.ask(q)
	k := w.keyFor(q.In.Tenant)
	w.tier.Learn(Lesson{Visit: f.Visit, Key: k, Answer: []byte("Paris."), Expires: w.now() + 1_000_000_000})
	w.tier.busy.Wait()
	w.pass(time.Second)
	w.expect(q, Miss, reasonExpired)
}

func TestOnlyWholeAnswersThatAreNoRefusalAreEntries(t *testing.T) {
	w := newWorld(t, nil)
	for _, body := range []string{"cut: Par", "I'm sorry, but I can't help with that.", "I cannot assist with this request."} {
		q := question("what is the capital of France?")
		w.teach(q, body)
		w.expect(q, Miss, reasonEmpty)
	}
	if a, b := w.counted(countNotWhole), w.counted(countRefusal); a != 1 || b != 2 {
		t.Errorf("%d not whole, %d refusals", a, b)
	}
}

func TestAnswerThatIsGoneTakesItsEntry(t *testing.T) {
	w := newWorld(t, nil)
	q := question("what is the capital of France?")
	w.teach(q, "Paris.")
	f := w.ask(q)
	w.tier.Gone(&f)
	w.expect(q, Miss, reasonEmpty)

	key := w.teach(q, "Paris.")
	w.tier.ForgetAnswer(key)
	w.expect(q, Miss, reasonEmpty)
}

func TestPurgeTakesTheAnswersToo(t *testing.T) {
	w := newWorld(t, nil)
	ours, theirs := question("what is the capital of France?"), question("what is the capital of France?")
	theirs.In.Tenant = "org:other"
	key := w.teach(ours, "Paris.")
	w.teach(theirs, "Paris.")
	if n, err := w.tier.Purge(t.Context(), Which{Tenant: "org:acme"}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if len(w.shelf.gone) != 1 || w.shelf.gone[0] != key {
		t.Errorf("answers removed: %x", w.shelf.gone)
	}
	w.expect(ours, Miss, reasonEmpty)
	f := w.expect(theirs, Serve, reasonNormal)
	if n, err := w.tier.PurgeEntry(t.Context(), f.Entry.Short()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	w.expect(theirs, Miss, reasonEmpty)
}

func TestInsertRateIsTheTenantsOwn(t *testing.T) {
	w := newWorld(t, func(w *world) { w.cfg.Inserts = 2 })
	texts := []string{"alpha bravo charlie delta", "echo foxtrot golf hotel", "india juliet kilo lima"}
	for _, text := range texts {
		w.teach(question(text), "an answer")
	}
	if n := w.counted(countOverRate); n != 1 || w.tier.rows.Load() != 2 {
		t.Errorf("%d over the rate, %d rows", n, w.tier.rows.Load())
	}
	other := question(texts[2])
	other.In.Tenant = "org:other"
	w.teach(other, "an answer")
	w.expect(other, Serve, reasonNormal)
	w.pass(time.Minute)
	w.teach(question(texts[2]), "an answer")
	w.expect(question(texts[2]), Serve, reasonNormal)
}

// TestFullTierTakesFromWhoHasMost: a tenant that floods the tier drives out its own
// entries, and nobody else's.
func TestFullTierTakesFromWhoHasMost(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.cfg.Entries, w.cfg.TenantEntries, w.cfg.ScopeEntries, w.cfg.Inserts = 20, 18, 18, 1000
	})
	small := question("what is the capital of France?")
	small.In.Tenant = "org:small"
	w.teach(small, "Paris.")
	for i := range 60 {
		w.teach(question("flood number "+string(rune('a'+i%26))+string(rune('a'+i/26))+" here"), "an answer")
	}
	w.expect(small, Serve, reasonNormal)
	if n := w.tier.rows.Load(); n > 20 || n != int64(w.rowsInMemory()) || n != int64(w.rowsOnDisk()) {
		t.Errorf("%d rows counted, %d in memory, %d on disk", n, w.rowsInMemory(), w.rowsOnDisk())
	}
}

// TestWhatIsServedStaysLongest: when a tenant has too much, what was served last goes
// last.
func TestWhatIsServedStaysLongest(t *testing.T) {
	w := newWorld(t, func(w *world) { w.cfg.TenantEntries, w.cfg.ScopeEntries = 3, 3 })
	texts := []string{"alpha bravo charlie delta", "echo foxtrot golf hotel", "india juliet kilo lima", "mike november oscar papa"}
	for _, text := range texts[:3] {
		w.teach(question(text), "an answer")
	}
	w.expect(question(texts[0]), Serve, reasonNormal)
	w.teach(question(texts[3]), "an answer")
	w.expect(question(texts[0]), Serve, reasonNormal)
	if f := w.ask(question(texts[1])); f.Verdict == Serve {
		t.Error("the one that was served least lately is still there")
	}
}

func (w *world) rowsInMemory() (n int) {
	for _, t := range w.tier.all() {
		n += t.len()
	}
	return n
}

func (w *world) rowsOnDisk() (n int) {
	w.t.Helper()
	if err := w.tier.each(roomEntry, func(_, _ []byte) { n++ }); err != nil {
		w.t.Fatal(err)
	}
	return n
}

func TestEligibility(t *testing.T) {
	w := newWorld(t, nil)
	for text, why := range map[string]string{
		"hi there": "", "hi": whyShort, "what is the weather in Rome": whyVolatile, "Where is my order?": whyPersonal, "who is the current president of France": whyVolatile,
		"what's today's menu idea": whyVolatile, "sort a list in Python": "", string(make([]byte, 2001)): whyLong,
	} {
		f := w.ask(question(text))
		if got := ""; f.Verdict == Ineligible {
			got = f.Reason
			if got != "ineligible:"+why {
				t.Errorf("%.40q: %s, want %q", text, got, why)
			}
			if f.Visit != nil {
				t.Errorf("%.40q is to be learned", text)
			}
		} else if why != "" {
			t.Errorf("%.40q is looked up, want %s", text, why)
		}
	}
	q := question("what is the weather in Rome")
	q.Policy.Volatile = true
	w.expect(q, Miss, reasonEmpty)
	q.Why = "tools"
	w.expect(q, Ineligible, "ineligible:tools")
}
