package purse

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"purser/ledger"
)

// quietWorld is one node and one budget without faults, driven step by step.
func quietWorld(t *testing.T, limit ledger.Amount) (*world, *simNode, *Part) {
	w := newWorld(t, 1, 1, nil)
	w.quiet = true
	w.put(dollars("cap", limit))
	n := w.nodes[0]
	c := new(Chain)
	if err := n.purse.Resolve(c, new(ledger.Dimensions)); err != nil {
		t.Fatal(err)
	}
	return w, n, &c.Money
}

// run lets everything that is to be done be done.
func (w *world) run(n *simNode) {
	for range 8 {
		w.pass(5_000_000)
		w.turn(n)
		w.save(n)
		w.converse(n)
	}
	w.turn(n)
	w.check()
}

// endCalls lets every call come to its end.
func (w *world) endCalls(n *simNode) {
	for len(n.calls) > 0 {
		w.dispatch(n.calls[0])
		w.finish(n, 0)
	}
}

// TestL3OnlyTheAnswerToTheQuestion is taken: not one to an older Exchange, to
// an earlier incarnation or to another node.
func TestL3OnlyTheAnswerToTheQuestion(t *testing.T) {
	w, n, part := quietWorld(t, 1000)
	c := n.purse.core
	c.park(part, Claim{USD: 100}, w.now())
	x := c.nextExchange(w.now())
	ans, _ := Answered(w.ledger.Apply(w.wall, x.msg))
	for name, change := range map[string]func(*ledger.Answer){
		"seq":         func(a *ledger.Answer) { a.Seq-- },
		"incarnation": func(a *ledger.Answer) { a.Incarnation-- },
		"node":        func(a *ledger.Answer) { a.Node = "other" },
	} {
		wrong := *ans
		change(&wrong)
		if c.answered(&wrong, w.now()) {
			t.Errorf("took an answer with another %s", name)
		}
	}
	if c.answered(nil, w.now()) {
		t.Error("took no answer for one")
	}
	if !c.answered(ans, w.now()) || c.broken != nil {
		t.Errorf("did not take the answer: %v", c.broken)
	}
}

// TestAnAnswerOfAnotherShapeBreaks: to guess what it means would be worse.
func TestAnAnswerOfAnotherShapeBreaks(t *testing.T) {
	w, n, part := quietWorld(t, 1000)
	c := n.purse.core
	c.park(part, Claim{USD: 100}, w.now())
	x := c.nextExchange(w.now())
	ans, _ := Answered(w.ledger.Apply(w.wall, x.msg))
	short := *ans
	short.Rows = nil
	c.answered(&short, w.now())
	if c.broken == nil || c.admits() {
		t.Error("goes on after an answer without rows")
	}
}

// TestDoneIsFinal: while the ledger is being told that a lease is done, the
// account takes no hold; afterwards a new lease begins from zero.
func TestDoneIsFinal(t *testing.T) {
	w, n, _ := quietWorld(t, 1000)
	c := n.purse.core
	w.request(n, new(ledger.Dimensions), Claim{USD: 100}, Claim{USD: 100})
	w.run(n)
	w.endCalls(n)
	for c.under == nil || len(c.under.msg.Rows) == 0 || !c.under.msg.Rows[0].Done {
		w.save(n)
		w.converse(n)
		w.pass(int64(time.Second))
		w.turn(n)
	}
	// One that holds nothing, and costs something all the same: nothing but the
	// account's being shut stands between it and being forgotten.
	w.request(n, new(ledger.Dimensions), Claim{}, Claim{USD: 5})
	w.turn(n)
	if len(n.waiting) != 1 {
		t.Fatal("decided on a lease that is done")
	}
	w.run(n)
	if len(n.waiting) != 0 || w.errors != 0 || len(w.refused) != 0 {
		t.Fatal("no hold of the new lease")
	}
	if a := c.live[0]; a.spent.Load() != 0 || len(c.live) != 1 {
		t.Errorf("%+v", a.status())
	}
	w.settleAll()
}

// TestIdleThenUsedAgain: a request that comes before the ledger is told finds
// the account open again.
func TestIdleThenUsedAgain(t *testing.T) {
	w, n, _ := quietWorld(t, 1000)
	c := n.purse.core
	w.request(n, new(ledger.Dimensions), Claim{USD: 100}, Claim{USD: 100})
	w.run(n)
	c.shut(c.live[0]) // its hold is out, so it cannot be done yet
	w.run(n)
	if v, _ := w.ledger.Account(whole("cap")); v.Outstanding != 100 {
		t.Errorf("%+v", v)
	}
	w.request(n, new(ledger.Dimensions), Claim{USD: 900}, Claim{USD: 900})
	w.run(n)
	if len(n.waiting) != 0 || c.live[0].held() != 1000 || c.live[0].closing {
		t.Errorf("%+v", c.live[0].status())
	}
	w.settleAll()
}

// TestAuthorityCountsFromTheQuestion, not from the answer: what a slow answer
// says was true before it was sent.
func TestAuthorityCountsFromTheQuestion(t *testing.T) {
	w, n, part := quietWorld(t, 1000)
	c := n.purse.core
	c.park(part, Claim{USD: 100}, w.now())
	w.turn(n)
	w.pass(int64(50 * time.Second))
	w.converse(n)
	c.step(w.now())
	if !c.admits() {
		t.Error("no authority 50 s after the question")
	}
	w.pass(int64(11 * time.Second))
	c.step(w.now())
	if c.admits() {
		t.Error("authority 61 s after the question")
	}
}

// TestFlushReachesEveryone: more accounts than one Exchange has rows.
func TestFlushReachesEveryone(t *testing.T) {
	w := newWorld(t, 1, 1, nil)
	w.quiet = true
	each := dollars("each", 1000)
	each.Each = []ledger.DimRef{{Dim: ledger.DimCustomer}}
	w.put(each)
	n := w.nodes[0]
	n.purse.core.cfg.MaxRows, n.purse.core.cfg.MaxNeeds = 16, 16
	var d ledger.Dimensions
	for i := range 100 {
		d.Values[ledger.DimCustomer] = string(rune('a'+i/26)) + string(rune('a'+i%26))
		w.request(n, &d, Claim{USD: 10}, Claim{USD: 7})
		w.run(n)
		w.endCalls(n)
	}
	for range 200 {
		w.pass(20_000_000)
		w.turn(n)
		w.save(n)
		w.converse(n)
	}
	spent := ledger.Amount(0)
	for v := range w.ledger.Accounts("each") {
		spent += v.Spent
	}
	if spent != 700 {
		t.Errorf("the ledger knows of %d, want 700", spent)
	}
	w.settleAll()
}

// TestLastTry: when the waits of a large and a small request end together, the
// small one is not refused for money that was kept for the large one.
func TestLastTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, newWire(dollars("cap", 1000)), &memoryMarks{}, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		held := r.must(t, part, Claim{USD: 500})
		large := make(chan Refusal)
		go func() {
			_, refusal, _ := r.Reserve(t.Context(), part, Claim{USD: 900})
			large <- refusal
		}()
		synctest.Wait()
		h, refusal, err := r.Reserve(t.Context(), part, Claim{USD: 10})
		if err != nil || refusal.Refused() {
			t.Errorf("%+v, %v", refusal, err)
		} else {
			h.Release()
		}
		if got := <-large; got.Code != Contended {
			t.Errorf("%+v", got)
		}
		held.Release()
	})
}

// twoCalls has two calls run that hold all of 200, of which the first will cost
// 50 more than it holds.
func (w *world) twoCalls(n *simNode) {
	w.t.Helper()
	w.request(n, new(ledger.Dimensions), Claim{USD: 100}, Claim{USD: 150})
	w.request(n, new(ledger.Dimensions), Claim{USD: 100}, Claim{USD: 100})
	w.run(n)
	n.calls = slices.DeleteFunc(n.calls, func(c *call) bool { // of the part without budgets
		if len(c.held) == 0 {
			c.hold.Release()
		}
		return len(c.held) == 0
	})
	if len(n.calls) != 2 || n.calls[0].actual.USD != 150 {
		w.t.Fatalf("%d calls run, %d wait", len(n.calls), len(n.waiting))
	}
}

// TestOverrunIsReportedAfterItsMark: one of two calls overruns, and the node
// crashes when the ledger may know of it but the disk does not. What the other
// call held must still be accounted for.
func TestOverrunIsReportedAfterItsMark(t *testing.T) {
	w, n, _ := quietWorld(t, 200)
	w.twoCalls(n)
	for _, c := range n.calls {
		w.dispatch(c)
	}
	w.finish(n, 0)
	for range 10 { // no save ends
		w.pass(int64(time.Second))
		w.turn(n)
		w.converse(n)
	}
	n.calls, n.buffer, n.purse = nil, nil, nil
	w.start(n)
	for k, held := range w.bill {
		v, _ := w.ledger.Account(k)
		if held != 200 || v.Spent-v.Overrun < held {
			t.Errorf("%d was billed within holds, the ledger has %d spent, %d of it overrun", held, v.Spent, v.Overrun)
		}
	}
}

// TestOverrunIsReportedOnceItsMarkIsSaved: it does not wait for the end of the lease.
func TestOverrunIsReportedOnceItsMarkIsSaved(t *testing.T) {
	w, n, _ := quietWorld(t, 200)
	w.twoCalls(n)
	w.dispatch(n.calls[0])
	w.finish(n, 0)
	for range 3 {
		w.pass(int64(time.Second))
		w.run(n)
	}
	for k := range w.bill {
		if v, _ := w.ledger.Account(k); v.Spent != 150 || v.Overrun != 50 {
			t.Errorf("spent %d, overrun %d", v.Spent, v.Overrun)
		}
	}
}

// TestARecallOfNothingIdleAsksNothing: a limit was lowered below what is held, so
// every answer recalls; with nothing to return there is nothing to say.
func TestARecallOfNothingIdleAsksNothing(t *testing.T) {
	w, n, _ := quietWorld(t, 200)
	w.twoCalls(n)
	w.put(dollars("cap", 50))
	w.pass(int64(time.Second))
	w.run(n)
	before := n.purse.core.seq
	for range 100 { // of 20 ms: two seconds
		w.pass(20_000_000)
		w.turn(n)
		w.save(n)
		w.converse(n)
	}
	// Nothing happens meanwhile but what the scan of each second may have to say.
	if got := n.purse.core.seq - before; got > 2 {
		t.Errorf("%d exchanges in two seconds without news", got)
	}
	w.endCalls(n)
	w.pass(int64(time.Second))
	w.run(n)
	for k := range w.bill {
		if v, _ := w.ledger.Account(k); v.Spent != 250 || v.Outstanding != 0 {
			t.Errorf("%+v", v)
		}
	}
}
