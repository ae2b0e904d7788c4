package semantic

import (
	"fmt"
	"testing"
)

// explored asks q anew although an entry would do, and gives it an answer.
func (w *world) explored(q *Question, body string) Found {
	w.t.Helper()
	w.dice.Store(0)
	f := w.ask(q)
	w.dice.Store(999)
	if f.Verdict != Explore {
		w.t.Fatalf("%v, %q; want explored", f.Verdict, f.Reason)
	}
	w.answer(q, f, body)
	return f
}

const (
	original   = "how do I reverse a linked list in place"
	paraphrase = "how do I reverse in place a linked list"
)

func TestExploredHitThatAgreesKeepsTheEntry(t *testing.T) {
	w := newWorld(t, nil)
	key := w.teach(question(original), "with three pointers that walk along")
	w.explored(question(paraphrase), "With three pointers that walk along.")
	s := w.tier.Stats()
	if s.Labels["same"] != 1 || s.Entries != 1 || len(s.Routes) != 1 || s.Routes[0].Labels != 1 || s.Routes[0].Wrong != 0 {
		t.Fatalf("stats %+v", s)
	}
	if f := w.expect(question(paraphrase), Serve, reasonSimilar); f.Answer != key || f.Bound >= 1 {
		t.Errorf("found %+v", f)
	}
}

// TestWrongOnceIsRememberedTwiceIsQuarantine: a pair that was found to differ is not
// served again, and an entry that was wrong twice is not served to anybody.
func TestWrongOnceIsRememberedTwiceIsQuarantine(t *testing.T) {
	shared := newPool()
	w := newWorld(t, func(w *world) { w.with.Shared, w.with.SharedSeal = shared, testSeal{1} })
	w.teach(question(original), "blue")
	entry := w.ask(question(original)).Entry
	w.explored(question(paraphrase), "green")
	// The paraphrase has an entry of its own from now on; without it, the pair is rejected.
	n := w.tier.known(tenantOf("org:acme"))
	var rejected bool
	n.learn(&Scope{}, &EntryID{}, nil)
	f := w.ask(question("reverse in place a linked list how do I"))
	if f.Verdict != Serve {
		t.Fatalf("after one bad label: %v %q", f.Verdict, f.Reason)
	}
	q := question(paraphrase)
	scope := q.In.scope(w.embedder.id)
	n.mu.Lock()
	st := n.scopes[scope].byID[entry].standing
	n.mu.Unlock()
	rejected = st.rejects(pairHash(decideNormal(paraphrase)))
	if !rejected || st.quarantined() || st.bad != 1 {
		t.Fatalf("standing %+v", st)
	}
	// The entry itself is wrong, too: its own question gets another answer now.
	w.explored(question(original), "red and yellow")
	n.mu.Lock()
	st = n.scopes[scope].byID[entry].standing
	n.mu.Unlock()
	if st.bad != 0 {
		t.Errorf("an entry that was replaced keeps its labels: %+v", st)
	}
	if w.counted(countQuarantined) != 1 || len(shared.forgotten) != 1 || shared.forgotten[0].ID != entry {
		t.Errorf("%d quarantined, forgotten %+v", w.counted(countQuarantined), shared.forgotten)
	}
}

func TestQuarantinedEntryIsNotServed(t *testing.T) {
	w := newWorld(t, nil)
	w.teach(question(original), "blue")
	f := w.ask(question(original))
	n := w.tier.known(f.Visit.tenant)
	for i := range quarantineAt {
		if _, ok := n.learn(&f.Visit.scope, &f.Entry, func(s *standing) { s.label(false, uint64(i+1)) }); !ok {
			t.Fatal("no entry")
		}
	}
	w.expect(question(original), Miss, reasonApart)
	w.expect(question(paraphrase), Miss, reasonApart)
}

func TestRejectedPairIsNotServed(t *testing.T) {
	w := newWorld(t, nil)
	w.teach(question(original), "blue")
	f := w.ask(question(original))
	w.tier.known(f.Visit.tenant).learn(&f.Visit.scope, &f.Entry, func(s *standing) { s.label(false, pairHash(decideNormal(paraphrase))) })
	w.expect(question(paraphrase), Miss, reasonRejected)
	w.expect(question(original), Serve, reasonNormal)
}

// TestMeasuredErrorHaltsARoute: wrong answers that are measured make the tier stricter
// step by step, then it serves nothing on the route, and right ones bring it back.
func TestMeasuredErrorHaltsARoute(t *testing.T) {
	w := newWorld(t, nil)
	v := &Visit{route: "openai", policy: serving()}
	for range 9 {
		w.tier.measure(v, false)
	}
	w.teach(question(original), "blue")
	f := w.expect(question(paraphrase), Miss, reasonHalted)
	if f.Visit.compare == nil {
		t.Error("nothing is measured while the route is halted")
	}
	w.expect(question(original), Serve, reasonNormal) // no similarity has a part in it
	if n := len(w.moved); n != haltLevel || !w.moved[n-1].Halted {
		t.Errorf("told %+v", w.moved)
	}
	other := question(paraphrase)
	other.In.Route = "azure"
	w.teach(other, "blue")
	if w.tier.controls.halted("azure", serving().Delta) {
		t.Error("another route is halted")
	}
	for range 20_000 {
		w.tier.measure(v, true)
	}
	w.expect(question(paraphrase), Serve, reasonSimilar)

	// It is remembered.
	for range 200 {
		w.tier.measure(v, false)
	}
	w.tier.Close()
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	w.open()
	w.expect(question(paraphrase), Miss, reasonHalted)
}

func TestBoundsAreThoseOfClopperAndPearson(t *testing.T) {
	// Rule of three, and tables: 0 of 300 has the upper bound 1-0.05^(1/300).
	for _, c := range []struct {
		labels, wrong uint64
		lower, upper  float64
	}{
		{300, 0, 0, 0.009936}, {100, 5, 0.019913, 0.102253}, {10, 10, 0.741134, 1}, {0, 0, 0, 1}, {20, 1, 0.002561, 0.216106},
	} {
		if l, u := lowerBound(c.labels, c.wrong), upperBound(c.labels, c.wrong); abs(l-c.lower) > 1e-5 || abs(u-c.upper) > 1e-5 {
			t.Errorf("%d of %d: %.6f to %.6f, want %.6f to %.6f", c.wrong, c.labels, l, u, c.lower, c.upper)
		}
	}
}

func abs(x float64) float64 { return max(x, -x) }

func TestLessonsBeyondTheQueueAreLost(t *testing.T) {
	w := newWorld(t, func(w *world) { w.cfg.Queue, w.cfg.Workers = 1, 1 })
	hold, entered := make(chan struct{}), make(chan struct{})
	w.tier.later(func() { close(entered); <-hold })
	<-entered
	for i := range 3 {
		q := question(fmt.Sprintf("question that nobody answered %d", i))
		f := w.ask(q)
		w.tier.Learn(Lesson{Visit: f.Visit, Key: w.keyFor("org:acme"), Answer: []byte("x")})
	}
	close(hold)
	w.tier.busy.Wait()
	if n := w.counted(countLost); n != 2 {
		t.Errorf("%d lost, want 2", n)
	}
}

func TestAnswersAreCompared(t *testing.T) {
	w := newWorld(t, nil)
	for _, c := range []struct {
		fresh, stored string
		want          likeness
	}{
		{"Paris.", "paris", alike},
		{`{"a":1,"b":[2]}`, ` {"b":[2], "a":1}`, alike},
		{`{"a":1}`, `{"a":2}`, unlike},
		{"It is 42 km.", "It is 43 km.", unlike},
		{"blue", "green", unlike},
		{"use three pointers and walk along the list until it ends, then return the last of them, which is the head", "use three pointers and walk along the list until it ends then return the last of them which is the head now", alike},
	} {
		if got := w.tier.alike(t.Context(), c.fresh, c.stored); got != c.want {
			t.Errorf("%q and %q: %v, want %v", c.fresh, c.stored, got, c.want)
		}
	}
}
