package purse

import (
	"errors"
	"testing"
	"time"

	"purser/ledger"
)

// takeAllBut has another node hold all but `left` of the only account.
func (s *stepped) takeAllBut(left ledger.Amount) {
	s.t.Helper()
	v := s.account()
	s.ledger.Apply(s.wall, ledger.Register{Node: "n2", Store: ledger.StoreID{2}})
	out := s.ledger.Apply(s.wall, &ledger.Exchange{Node: "n2", Incarnation: 1, Seq: 1,
		Rows:  []ledger.Row{{Account: v.Key, Rate: 1}},
		Needs: []ledger.Need{{Claims: []ledger.Claim{{Missing: v.Available - left}}}}})
	if out.Code != ledger.Applied || out.Answer.Needs[0].Verdict != ledger.NeedGranted {
		s.t.Fatalf("%+v", out)
	}
}

// TestQuestionsAboutAShortAccountAreSpaced: however fast requests come that wait
// for what another node holds, they ask together.
func TestQuestionsAboutAShortAccountAreSpaced(t *testing.T) {
	s := newStepped(t, dollars("cap", 1000), nil)
	part := s.money(ledger.Dimensions{})
	s.must(part, Claim{USD: 10}).Settle(Claim{USD: 10}, nil)
	s.pass(time.Second)
	s.run()
	s.takeAllBut(0)
	for a, _ := s.Lease(s.account().Key); a.Free > 0; a, _ = s.Lease(s.account().Key) {
		if h, ok := s.TryReserve(part, Claim{USD: a.Free}); ok {
			h.Settle(Claim{USD: a.Free}, nil)
		}
		s.run()
	}
	before := s.core.seq
	const steps = 40
	for range steps {
		s.Park(part, Claim{USD: 10}, s.now())
		s.every(5*time.Millisecond, 1)
	}
	// 200 ms are ten gaps; the report of each second may come in between.
	if got := s.core.seq - before; got < 5 || got > 12 {
		t.Errorf("%d exchanges for %d requests within %v", got, steps, steps*5*time.Millisecond)
	}
}

// TestARecallLeavesWhatAParkedRequestWillHave: its grant is there, only the mark
// is not durable yet.
func TestARecallLeavesWhatAParkedRequestWillHave(t *testing.T) {
	s := newStepped(t, dollars("cap", 1000), nil)
	part := s.money(ledger.Dimensions{})
	r := s.Park(part, Claim{USD: 100}, s.now())
	s.turn()
	s.converse()
	s.turn() // the mark is on its way
	key := s.account().Key
	had, _ := s.Lease(key)
	if r.Decided() || had.Free+had.Unissued < 150 {
		t.Fatalf("decided %v, %+v", r.Decided(), had)
	}
	s.pass(20 * time.Millisecond)
	s.Nudge([]ledger.AccountKey{key})
	s.turn()
	answer := *s.ask()
	answer.Rows = []ledger.AnswerRow{answer.Rows[0]}
	answer.Rows[0].Recall = 1000
	if !s.Answer(&answer, s.now()) {
		t.Fatal("did not take its answer")
	}
	if now, _ := s.Lease(key); now.Granted-now.Returned != 100 {
		t.Errorf("after a recall of everything %d are left for a hold of 100", now.Granted-now.Returned)
	}
	s.save()
	s.turn()
	if h, _, _ := r.Decision(); !r.Decided() || !h.Valid() {
		t.Error("the request lost its grant")
	}
}

// TestANudgeAboutNothingIdleIsPassedOver: a report would bring nothing.
func TestANudgeAboutNothingIdleIsPassedOver(t *testing.T) {
	s := newStepped(t, dollars("cap", 100), nil)
	h := s.must(s.money(ledger.Dimensions{}), Claim{USD: 100})
	key := s.account().Key
	s.run()
	before := s.core.seq
	s.Nudge([]ledger.AccountKey{key})
	s.pass(5 * time.Millisecond)
	s.turn()
	if s.core.seq != before {
		t.Error("it began an exchange")
	}
	h.Release()
	s.Nudge([]ledger.AccountKey{key})
	s.pass(5 * time.Millisecond)
	s.turn()
	if s.core.seq != before+1 {
		t.Error("with idle allowance it did not")
	}
}

// TestAPausedNodeHasNoAuthority: what its last turn decided is old, and a request
// may come before the next.
func TestAPausedNodeHasNoAuthority(t *testing.T) {
	s := newStepped(t, dollars("cap", 100), nil)
	part := s.money(ledger.Dimensions{})
	s.must(part, Claim{USD: 1}).Release()
	s.pass(Default().AuthorityTTL + time.Second)
	if _, _, err := s.Park(part, Claim{USD: 1}, s.now()).Decision(); !errors.Is(err, ErrNoAuthority) {
		t.Errorf("before its first turn: %v", err)
	}
	p := &Purse{core: s.core, epoch: time.Now().Add(-time.Hour)}
	p.admit.Store(true)
	p.till.Store(int64(time.Minute))
	if _, ok := p.TryReserve(part, Claim{USD: 1}); ok {
		t.Error("it admitted from memory")
	}
	p.till.Store(int64(2 * time.Hour))
	if _, ok := p.TryReserve(part, Claim{USD: 1}); !ok {
		t.Error("with authority it did not")
	}
}
