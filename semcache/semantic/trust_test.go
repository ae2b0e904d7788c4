package semantic

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"purser/internal/store"
	"purser/semcache/decide"
)

// TestWhatIsNotSealedIsNotBelieved: a checksum can be made by anybody who can write to
// the shared tier or to the disk, and with it an entry that leads to another's answer.
func TestWhatIsNotSealedIsNotBelieved(t *testing.T) {
	e := &entry{created: start, expires: start + 1, scale: 0.5, row: []int8{1, -2}, text: "what?"}
	if _, err := decodeEntry(e.encode(nil, []byte("bound")), testSeal{1}, []byte("bound")); !errors.Is(err, errDamaged) {
		t.Errorf("an entry in clear: %v", err)
	}
	a, b, shared := two(t)
	a.teach(question(original), "blue")
	p := &shared.points[0]
	bound := appendBound(nil, &p.Scope, &p.ID)
	forged, err := decodeEntry(p.Payload, testSeal{7}, bound)
	if err != nil {
		t.Fatal(err)
	}
	forged.answer = a.keyFor("org:other")
	p.Payload = forged.encode(nil, bound)
	b.expect(question(original), Miss, reasonEmpty)
}

// TestAnswerIsNotComparedWithItself: an answer that the exact cache had lost is made
// anew in its own place. That is no label.
func TestAnswerIsNotComparedWithItself(t *testing.T) {
	w := newWorld(t, nil)
	q := question(original)
	q.Policy.Serve = false
	key := w.teach(q, "blue")
	w.shelf.Forget(key)
	f := w.expect(q, Would, reasonNormal)
	w.pass(time.Minute)
	w.shelf.put(key, "green")
	w.tier.Learn(Lesson{Visit: f.Visit, Key: key, Answer: []byte("green")})
	w.tier.busy.Wait()
	if s := w.tier.Stats(); s.Labels["agrees"] != 0 || w.historyOf(q).Good != 0 {
		t.Errorf("labels %v, history %+v", s.Labels, w.historyOf(q))
	}
	if f := w.ask(q); f.Age != 0 {
		t.Errorf("the entry is %v old, its answer new", f.Age)
	}
}

// TestEntryIsNotOlderThanWhoAsksWants: entries are kept as long as who asked first
// wanted; another policy of the tenant's, or a later one, may want newer ones.
func TestEntryIsNotOlderThanWhoAsksWants(t *testing.T) {
	w := newWorld(t, nil)
	w.teach(question(original), "blue")
	w.pass(time.Minute)
	for _, text := range []string{original, paraphrase} {
		q := question(text)
		q.Policy.TTL = time.Minute
		w.expect(q, Miss, reasonExpired)
		q.Policy.TTL = time.Minute + 1
		if f := w.ask(q); f.Verdict != Serve {
			t.Errorf("%v %q", f.Verdict, f.Reason)
		}
	}
}

// TestWhatIsKeptOfNowIsForThoseWhoWantIt: an answer that changes with time, which one
// policy keeps, is none to a question that does not say so.
func TestWhatIsKeptOfNowIsForThoseWhoWantIt(t *testing.T) {
	w := newWorld(t, nil)
	about := question("who is the president of France currently")
	about.Policy.Volatile = true
	w.teach(about, "an answer")
	w.expect(question("who is the president of France"), Miss, reasonEmpty)
	w.expect(about, Serve, reasonNormal)
}

// TestControlOutOfItsRangeIsNotRead: a level far below the lowest would let anything be
// served.
func TestControlOutOfItsRangeIsNotRead(t *testing.T) {
	for _, c := range []decide.Controller{{Level: -128}, {Level: 100}, {Floor: -100}, {Floor: 100}} {
		k := control{route: "r", delta: 0.01, Measured: decide.Measured{Controller: c}}
		if got, ok := decodeControl(k.encode()); ok {
			t.Errorf("%+v is read as %+v", c, got)
		}
	}
	k := control{route: "r", delta: 0.01}
	for range 500 {
		k.Measured, _ = k.Observe(decide.Disagrees, 0.999, 0.01, true)
	}
	if got, ok := decodeControl(k.encode()); !ok || !got.Off {
		t.Errorf("one that was turned off: %+v, %v", got, ok)
	}
}

// TestSharedEntryReplacesNothing: what was found in the shared tier a moment ago does
// not take the place, and the history, of what is here meanwhile.
func TestSharedEntryReplacesNothing(t *testing.T) {
	a, b, shared := two(t)
	a.teach(question(original), "blue")
	p := &shared.points[0]
	e, err := decodeEntry(p.Payload, testSeal{7}, appendBound(nil, &p.Scope, &p.ID))
	if err != nil {
		t.Fatal(err)
	}
	f := b.expect(question(original), Serve, reasonNormal)
	b.tier.busy.Wait()
	b.tier.known(f.Visit.tenant).learn(&f.Visit.scope, &f.Entry, wrongTwice)
	b.tier.adopt(f.Visit, f.Entry, e)
	b.expect(question(original), Miss, reasonApart)
}

func TestExplainLearnsNothing(t *testing.T) {
	a, b, _ := two(t)
	a.teach(question(original), "blue")
	if f, _, _ := b.tier.Explain(t.Context(), question(original)); f.Verdict != Serve {
		t.Fatalf("%v %q", f.Verdict, f.Reason)
	}
	b.tier.busy.Wait()
	if n := b.tier.rows.Load(); n != 0 || b.counted(countSharedFound) != 0 {
		t.Errorf("%d rows, %d found", n, b.counted(countSharedFound))
	}
}

// TestClientsThatGoDoNotRestTheEmbedder: nobody can turn the cache off for others by
// leaving while the embedder is asked.
func TestClientsThatGoDoNotRestTheEmbedder(t *testing.T) {
	w := newWorld(t, nil)
	w.teach(question(original), "blue")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	w.embedder.slow.Store(true)
	for range 2 * restAfter {
		if f := w.tier.Ask(gone, question(paraphrase)); f.Verdict != Miss || f.Reason != reasonEmbedder {
			t.Fatalf("%v %q", f.Verdict, f.Reason)
		}
	}
	w.embedder.slow.Store(false)
	w.expect(question(paraphrase), Serve, reasonSimilar)
}

// TestAnswersThatWaitAreBounded: in bytes, too, as answers may be large.
func TestAnswersThatWaitAreBounded(t *testing.T) {
	w := newWorld(t, func(w *world) { w.cfg.Workers = 1 })
	hold, entered := make(chan struct{}), make(chan struct{})
	w.tier.later(func() { close(entered); <-hold })
	<-entered
	f := w.ask(question(original))
	body := make([]byte, maxWaiting/2)
	for range 3 {
		w.tier.Learn(Lesson{Visit: f.Visit, Key: w.keyFor("org:acme"), Answer: body})
	}
	if n := w.counted(countLost); n != 1 {
		t.Errorf("%d lost, want 1", n)
	}
	close(hold)
	w.tier.busy.Wait()
	if n := w.tier.waiting.Load(); n != 0 {
		t.Errorf("%d bytes wait", n)
	}
}

// TestMeasuresAreWrittenInOrder: what is on disk at the end is what was measured last.
func TestMeasuresAreWrittenInOrder(t *testing.T) {
	w := newWorld(t, nil)
	v := &Visit{route: "azure", policy: serving()}
	var all sync.WaitGroup
	for round := range 200 {
		for range 8 {
			all.Go(func() { w.tier.observe(v, decide.Agrees, 0.5, false) })
		}
		all.Wait()
		want := w.tier.controls.get("azure", v.policy.Delta)
		b, closer, err := w.tier.store.DB().Get(append([]byte{store.PrefixSemantic, roomControl}, want.key()...))
		if err != nil {
			t.Fatal(err)
		}
		got, ok := decodeControl(b)
		if err := closer.Close(); err != nil || !ok || got.Seen != want.Seen {
			t.Fatalf("round %d: stored %v, measured %v, %v", round, got.Seen, want.Seen, err)
		}
	}
}

// TestPurgedQuestionsAreNotHeldReady: a question that was purged is not in memory any
// more.
func TestPurgedQuestionsAreNotHeldReady(t *testing.T) {
	w := newWorld(t, nil)
	w.teach(question(original), "blue")
	w.expect(question(paraphrase), Serve, reasonSimilar)
	if len(w.tier.texts.young) != 1 {
		t.Fatalf("%d held ready", len(w.tier.texts.young))
	}
	if n, err := w.tier.Purge(t.Context(), Which{Tenant: "org:acme"}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if n := len(w.tier.texts.young) + len(w.tier.texts.old); n != 0 {
		t.Errorf("%d held ready", n)
	}
}
