package purse

import (
	"testing"
	"testing/synctest"
	"time"

	"purser/ledger"
)

// stepped is one node and its ledger, moved step by step. Nothing fails.
type stepped struct {
	*Driver
	t       *testing.T
	core    *core
	ledger  *ledger.State
	disk    *memoryMarks
	wall    ledger.Instant
	mono    int64
	version uint64
}

func newStepped(t *testing.T, budget ledger.Budget, change func(*Config)) *stepped {
	s := &stepped{t: t, ledger: ledger.New(), disk: &memoryMarks{}, wall: 1_772_323_180 * ledger.Second}
	cfg := Default()
	cfg.Node = "n1"
	if change != nil {
		change(&cfg)
	}
	s.start(cfg)
	s.put(budget)
	return s
}

// start is also a restart, without a word from the incarnation before.
func (s *stepped) start(cfg Config) {
	s.t.Helper()
	d, err := NewDriver(cfg, Seams{Marks: s.disk, Proofs: noProof}, s.now(), func(r ledger.Register) (uint32, error) {
		out := s.ledger.Apply(s.wall, r)
		if out.Code != ledger.Applied {
			return 0, &RejectedError{Code: out.Code}
		}
		return out.Incarnation, nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.Driver, s.core = d, d.p.core
}

func (s *stepped) put(b ledger.Budget) {
	s.ledger.Apply(s.wall, ledger.PutBudget{Budget: b})
	s.version++
	s.SetRules([]ledger.Budget{b}, s.version, s.now())
}

func (s *stepped) now() Moment { return Moment{Wall: s.wall, Mono: s.mono} }

func (s *stepped) pass(d time.Duration) {
	s.mono += int64(d)
	s.wall += ledger.Instant(d)
}

// money is the part of a request that d describes.
func (s *stepped) money(d ledger.Dimensions) *Part {
	s.t.Helper()
	c := new(Chain)
	if err := s.Resolve(c, &d); err != nil {
		s.t.Fatal(err)
	}
	return &c.Money
}

// turn is that of the loops.
func (s *stepped) turn() {
	s.Step(s.now())
	s.NextMarks()
	s.NextExchange(s.now())
}

func (s *stepped) save() {
	if seq, marks, ok := s.Saving(); ok {
		if err := s.disk.SaveMarks(seq, marks); err != nil {
			s.t.Fatal(err)
		}
		s.Saved(s.now())
	}
}

// ask has the ledger answer the message under way, and returns the answer.
func (s *stepped) ask() *ledger.Answer {
	s.t.Helper()
	ans, err := Answered(s.ledger.Apply(s.wall, s.Sent()))
	if err != nil {
		s.t.Fatal(err)
	}
	return ans
}

func (s *stepped) converse() {
	s.t.Helper()
	if s.Sent() != nil && !s.Answer(s.ask(), s.now()) {
		s.t.Fatal("did not take its answer")
	}
}

// every lets a time pass n times, with whatever is to be done.
func (s *stepped) every(d time.Duration, n int) {
	s.t.Helper()
	for range n {
		s.pass(d)
		s.turn()
		s.save()
		s.converse()
	}
	s.turn()
	if err := s.ledger.Check(); err != nil {
		s.t.Fatal(err)
	}
}

// run lets everything that is to be done be done.
func (s *stepped) run() { s.every(5*time.Millisecond, 8) }

// must reserves, and lets the world run until there is a decision.
func (s *stepped) must(part *Part, c Claim) Hold {
	s.t.Helper()
	r := s.Park(part, c, s.now())
	s.run()
	h, refusal, err := r.Decision()
	if !h.Valid() {
		s.t.Fatalf("no hold: %+v, %v", refusal, err)
	}
	return h
}

// account is the only one the ledger has.
func (s *stepped) account() ledger.AccountView {
	s.t.Helper()
	for b := range s.ledger.Budgets() {
		for v := range s.ledger.Accounts(b.ID) {
			return v
		}
	}
	s.t.Fatal("the ledger has no account")
	return ledger.AccountView{}
}

// drained drains, and everything must be back.
func (s *stepped) drained() {
	s.t.Helper()
	s.Drain()
	s.every(5*time.Millisecond, 20)
	if v := s.account(); !s.Drained() || s.Outstanding() != 0 || v.Outstanding != 0 {
		s.t.Errorf("not drained: %d holds, %+v", s.Outstanding(), v)
	}
}

// TestL3OnlyTheAnswerToTheQuestion is taken: not one to an older Exchange, to
// an earlier incarnation or to another node.
func TestL3OnlyTheAnswerToTheQuestion(t *testing.T) {
	s := newStepped(t, dollars("cap", 1000), nil)
	s.Park(s.money(ledger.Dimensions{}), Claim{USD: 100}, s.now())
	s.NextExchange(s.now())
	ans := s.ask()
	for name, change := range map[string]func(*ledger.Answer){
		"seq":         func(a *ledger.Answer) { a.Seq-- },
		"incarnation": func(a *ledger.Answer) { a.Incarnation-- },
		"node":        func(a *ledger.Answer) { a.Node = "other" },
	} {
		wrong := *ans
		change(&wrong)
		if s.Answer(&wrong, s.now()) {
			t.Errorf("took an answer with another %s", name)
		}
	}
	if s.Answer(nil, s.now()) {
		t.Error("took no answer for one")
	}
	if !s.Answer(ans, s.now()) || s.Broken() != nil {
		t.Errorf("did not take the answer: %v", s.Broken())
	}
	if s.Answer(ans, s.now()) {
		t.Error("took the answer twice")
	}
}

// TestAnAnswerOfAnotherShapeBreaks: to guess what it means would be worse.
func TestAnAnswerOfAnotherShapeBreaks(t *testing.T) {
	s := newStepped(t, dollars("cap", 1000), nil)
	s.Park(s.money(ledger.Dimensions{}), Claim{USD: 100}, s.now())
	s.NextExchange(s.now())
	short := *s.ask()
	short.Rows = nil
	s.Answer(&short, s.now())
	if s.Step(s.now()); s.Broken() == nil || s.Admits() {
		t.Error("goes on after an answer without rows")
	}
}

// TestDoneIsFinal: while the ledger is being told that a lease is done, the
// account takes no hold; afterwards a new lease begins from zero.
func TestDoneIsFinal(t *testing.T) {
	s := newStepped(t, dollars("cap", 1000), nil)
	part := s.money(ledger.Dimensions{})
	s.must(part, Claim{USD: 100}).Settle(Claim{USD: 100}, nil)
	for x := s.Sent(); x == nil || len(x.Rows) == 0 || !x.Rows[0].Done; x = s.Sent() {
		s.save()
		s.converse()
		s.pass(time.Second)
		s.turn()
	}
	// One that holds nothing, and costs something all the same: nothing but the
	// account's being shut stands between it and being forgotten.
	r := s.Park(part, Claim{}, s.now())
	if s.turn(); r.Decided() {
		t.Fatal("decided on a lease that is done")
	}
	s.run()
	h, _, _ := r.Decision()
	if !h.Valid() {
		t.Fatal("no hold of the new lease")
	}
	if l, _ := s.Lease(whole("cap")); l.Spent != 0 || len(s.core.live) != 1 {
		t.Errorf("%+v", l)
	}
	h.Settle(Claim{USD: 5}, nil)
	s.drained()
}

// TestIdleThenUsedAgain: a request that comes before the ledger is told finds
// the account open again.
func TestIdleThenUsedAgain(t *testing.T) {
	s := newStepped(t, dollars("cap", 1000), nil)
	part := s.money(ledger.Dimensions{})
	first := s.must(part, Claim{USD: 100})
	s.core.shut(s.core.live[0]) // its hold is out, so it cannot be done yet
	s.run()
	if v := s.account(); v.Outstanding != 100 {
		t.Errorf("%+v", v)
	}
	second := s.must(part, Claim{USD: 900})
	if l, _ := s.Lease(whole("cap")); l.Held != 1000 || l.Closing {
		t.Errorf("%+v", l)
	}
	first.Release()
	second.Settle(Claim{USD: 900}, nil)
	s.drained()
}

// TestAuthorityCountsFromTheQuestion, not from the answer: what a slow answer
// says was true before it was sent.
func TestAuthorityCountsFromTheQuestion(t *testing.T) {
	s := newStepped(t, dollars("cap", 1000), nil)
	s.Park(s.money(ledger.Dimensions{}), Claim{USD: 100}, s.now())
	s.turn()
	s.pass(50 * time.Second)
	s.converse()
	if s.Step(s.now()); !s.Admits() {
		t.Error("no authority 50 s after the question")
	}
	s.pass(11 * time.Second)
	if s.Step(s.now()); s.Admits() {
		t.Error("authority 61 s after the question")
	}
}

// TestFlushReachesEveryone: more accounts than one Exchange has rows.
func TestFlushReachesEveryone(t *testing.T) {
	each := dollars("each", 1000)
	each.Each = []ledger.DimRef{{Dim: ledger.DimCustomer}}
	s := newStepped(t, each, func(c *Config) { c.MaxRows, c.MaxNeeds = 16, 16 })
	var d ledger.Dimensions
	for i := range 100 {
		d.Values[ledger.DimCustomer] = string(rune('a'+i/26)) + string(rune('a'+i%26))
		s.must(s.money(d), Claim{USD: 10}).Settle(Claim{USD: 7}, nil)
	}
	s.every(20*time.Millisecond, 200)
	spent := ledger.Amount(0)
	for v := range s.ledger.Accounts("each") {
		spent += v.Spent
	}
	if spent != 700 {
		t.Errorf("the ledger knows of %d, want 700", spent)
	}
	s.drained()
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

// twoHolds takes all of 200, in two.
func twoHolds(t *testing.T) (s *stepped, first, second Hold) {
	s = newStepped(t, dollars("cap", 200), nil)
	part := s.money(ledger.Dimensions{})
	return s, s.must(part, Claim{USD: 100}), s.must(part, Claim{USD: 100})
}

// TestOverrunIsReportedAfterItsMark: one of two calls costs 50 more than it
// holds, and the node crashes when the ledger may know of it but the disk does
// not. What the other call held must still be accounted for.
func TestOverrunIsReportedAfterItsMark(t *testing.T) {
	s, first, _ := twoHolds(t)
	first.Settle(Claim{USD: 150}, nil)
	for range 10 { // no save ends
		s.pass(time.Second)
		s.turn()
		s.converse()
	}
	s.start(s.core.cfg)
	if v := s.account(); v.Spent-v.Overrun < 200 {
		t.Errorf("200 was billed within holds, the ledger has %d spent, %d of it overrun", v.Spent, v.Overrun)
	}
}

// TestOverrunIsReportedOnceItsMarkIsSaved: it does not wait for the end of the lease.
func TestOverrunIsReportedOnceItsMarkIsSaved(t *testing.T) {
	s, first, _ := twoHolds(t)
	first.Settle(Claim{USD: 150}, nil)
	for range 3 {
		s.pass(time.Second)
		s.run()
	}
	if v := s.account(); v.Spent != 150 || v.Overrun != 50 {
		t.Errorf("spent %d, overrun %d", v.Spent, v.Overrun)
	}
}

// TestARecallOfNothingIdleAsksNothing: a limit was lowered below what is held, so
// every answer recalls; with nothing to return there is nothing to say.
func TestARecallOfNothingIdleAsksNothing(t *testing.T) {
	s, first, second := twoHolds(t)
	s.put(dollars("cap", 50))
	s.pass(time.Second)
	s.run()
	before := s.core.seq
	s.every(20*time.Millisecond, 100)
	// Nothing happens meanwhile but what the scan of each second may have to say.
	if got := s.core.seq - before; got > 2 {
		t.Errorf("%d exchanges in two seconds without news", got)
	}
	first.Settle(Claim{USD: 150}, nil)
	second.Settle(Claim{USD: 100}, nil)
	s.pass(time.Second)
	s.run()
	if v := s.account(); v.Spent != 250 || v.Outstanding != 0 {
		t.Errorf("%+v", v)
	}
}
