package semantic

import (
	"fmt"
	"testing"

	"purser/semcache/decide"
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
	if s.Labels["agrees"] != 1 || s.Entries != 1 || len(s.Routes) != 1 || s.Routes[0].Labels != 101 || s.Routes[0].Wrong != 0 {
		t.Fatalf("stats %+v", s)
	}
	if f := w.expect(question(paraphrase), Serve, reasonSimilar); f.Answer != key || f.Bound >= 1 {
		t.Errorf("found %+v", f)
	}
}

// wrongTwice is a history that puts an entry away.
func wrongTwice(h decide.History) decide.History {
	return h.Observe(decide.Prepare("one"), decide.Disagrees).Observe(decide.Prepare("two"), decide.Disagrees)
}

// historyOf is what was learned of the entry with a question's own normal form.
func (w *world) historyOf(q *Question) (h decide.History) {
	w.t.Helper()
	s := q.In.scope(w.embedder.id)
	id := entryID(s, decide.Normalize(q.Text))
	c, ok := w.tier.known(tenantOf(q.In.Tenant)).find(&s, &id)
	if !ok {
		w.t.Fatal("no entry")
	}
	return c.history
}

// TestWrongAnswerIsRemembered: a pair that was found to differ is not served again,
// though the entry is served to others; and its question has an entry of its own.
func TestWrongAnswerIsRemembered(t *testing.T) {
	w := newWorld(t, nil)
	w.teach(question(original), "The sky is blue.")
	w.explored(question(paraphrase), "Grass is green.")
	h := w.historyOf(question(original))
	if h.Bad != 1 || !h.Rejects(decide.Prepare(paraphrase)) || h.Quarantined() {
		t.Fatalf("history %+v", h)
	}
	if f := w.expect(question(paraphrase), Serve, reasonNormal); f.Entry == w.ask(question(original)).Entry {
		t.Error("both have one entry")
	}
	if s := w.tier.Stats(); s.Labels["disagrees"] != 1 || s.Routes[0].Wrong != 1 {
		t.Errorf("stats %+v", s)
	}
}

// TestWrongTwiceIsQuarantine: nobody is served such an entry, and other nodes are not
// to find it any more.
func TestWrongTwiceIsQuarantine(t *testing.T) {
	shared := newPool()
	w := newWorld(t, func(w *world) { w.with.Shared, w.with.SharedSeal = shared, testSeal{1} })
	w.teach(question(original), "The sky is blue.")
	f := w.ask(question(original))
	w.tier.known(f.Visit.tenant).learn(&f.Visit.scope, &f.Entry, func(h decide.History) decide.History { return h.Observe(decide.Prepare("one"), decide.Disagrees) })
	// The model may have learned: the same question gets another answer.
	w.explored(question(original), "Grass is green.")
	if w.counted(countQuarantined) != 1 || len(shared.forgotten) != 1 || shared.forgotten[0].ID != f.Entry {
		t.Errorf("%d quarantined, forgotten %+v", w.counted(countQuarantined), shared.forgotten)
	}
	// The fresh answer has taken its place, and begins anew.
	if h := w.historyOf(question(original)); h.Good != 0 || h.Bad != 0 {
		t.Errorf("history %+v", h)
	}
}

func TestQuarantinedEntryIsNotServed(t *testing.T) {
	w := newWorld(t, nil)
	w.teach(question(original), "blue")
	f := w.ask(question(original))
	w.tier.known(f.Visit.tenant).learn(&f.Visit.scope, &f.Entry, wrongTwice)
	w.expect(question(original), Miss, reasonApart)
	w.expect(question(paraphrase), Miss, reasonApart)
}

func TestRejectedPairIsNotServed(t *testing.T) {
	w := newWorld(t, nil)
	w.teach(question(original), "blue")
	f := w.ask(question(original))
	w.tier.known(f.Visit.tenant).learn(&f.Visit.scope, &f.Entry, func(h decide.History) decide.History {
		return h.Observe(decide.Prepare(paraphrase), decide.Disagrees)
	})
	w.expect(question(paraphrase), Miss, reasonRejected)
	w.expect(question(original), Serve, reasonNormal)
}

// TestMeasuredErrorTurnsARouteOff: wrong answers that are measured raise the bar step by
// step, until nothing similar is served on the route; that outlives the process, and
// an operator ends it.
func TestMeasuredErrorTurnsARouteOff(t *testing.T) {
	w := newWorld(t, nil)
	v := &Visit{route: "openai", policy: serving()}
	for range 50 {
		w.tier.observe(v, decide.Disagrees, 0.9999, true)
	}
	w.teach(question(original), "blue")
	w.expect(question(paraphrase), Miss, reasonOff)
	w.expect(question(original), Serve, reasonNormal) // no similarity has a part in it
	if n := len(w.moved); n == 0 || !w.moved[n-1].Off {
		t.Fatalf("told %+v", w.moved)
	}
	other := question(original)
	other.In.Route = "azure"
	w.teach(other, "blue")
	other = question(paraphrase)
	other.In.Route = "azure"
	if f := w.ask(other); f.Verdict != Explore {
		t.Errorf("another route: %v %q", f.Verdict, f.Reason)
	}
	w.reopen()
	w.expect(question(paraphrase), Miss, reasonOff)
	if n := w.tier.Reset("openai"); n != 1 {
		t.Errorf("%d reset", n)
	}
	if f := w.ask(question(paraphrase)); f.Verdict != Explore {
		t.Errorf("after the reset: %v %q", f.Verdict, f.Reason)
	}
}

// TestUndecidedComparisonsMoveNothing: what the judge cannot tell is shown beside the
// measured error, and is no part of it.
func TestUndecidedComparisonsMoveNothing(t *testing.T) {
	w := newWorld(t, nil)
	v := &Visit{route: "openai", policy: serving()}
	for range 100 {
		w.tier.observe(v, decide.Undecided, 0.9999, true)
	}
	s := w.tier.Stats()
	if r := s.Routes[0]; r.Undecided != 100 || r.Labels != 100 || r.Wrong != 0 || r.Off {
		t.Errorf("%+v", r)
	}
	fresh := &Visit{route: "azure", policy: serving()}
	w.tier.observe(fresh, decide.Undecided, 0.5, false)
	if r := w.tier.Stats().Routes[0]; r.Route != "azure" || r.Bar != 1-fresh.policy.Delta || r.Lower != 0 || r.Upper != 1 {
		t.Errorf("a route of which nothing is known: %+v", r)
	}
}

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
