package node

import (
	"testing"

	"purser/ledger"
)

// spender is a ledger of which one node spends, as time goes by.
type spender struct {
	t     *testing.T
	state *ledger.State
	now   ledger.Instant
	seq   uint64
	spent ledger.Amount
}

func newSpender(t *testing.T, b ledger.Budget) *spender {
	s := &spender{t: t, state: ledger.New()}
	s.apply(ledger.PutBudget{Budget: b})
	s.apply(ledger.Register{Node: "n1"})
	return s
}

func (s *spender) apply(c ledger.Command) ledger.Outcome {
	s.t.Helper()
	out := s.state.Apply(s.now, c)
	if out.Code != ledger.Applied {
		s.t.Fatalf("%#v: %s", c, out.Code)
	}
	return out
}

func (s *spender) spend(k ledger.AccountKey, amount ledger.Amount) {
	s.t.Helper()
	s.seq++
	s.apply(&ledger.Exchange{Node: "n1", Incarnation: 1, Seq: s.seq, Rows: []ledger.Row{{Account: k, Spent: s.spent}},
		Needs: []ledger.Need{{Claims: []ledger.Claim{{Row: 0, Missing: amount}}}}})
	s.spent += amount
	s.seq++
	s.apply(&ledger.Exchange{Node: "n1", Incarnation: 1, Seq: s.seq, Rows: []ledger.Row{{Account: k, Spent: s.spent}}})
}

// TestAnAccountThatIsSpentTooFastIsTripped: the pacer finds it, once, and not again
// while it is tripped or soon after it was reset.
func TestAnAccountThatIsSpentTooFastIsTripped(t *testing.T) {
	s := newSpender(t, ledger.Budget{
		ID: "cap", Unit: ledger.USD, Limit: 1_000_000, Window: ledger.Window{Kind: ledger.Total}, Breaker: ledger.Breaker{RateTimes: 10, CoolDown: ledger.Minute},
	})
	p := newPacer()
	k := ledger.AccountKey{Budget: "cap"}
	run := func(span ledger.Instant, each ledger.Amount) (found []surge) {
		for end := s.now + span; s.now < end; s.now += 5 * ledger.Second {
			s.spend(k, each)
			if found = p.look(s.state, s.now); found != nil {
				return found
			}
		}
		return nil
	}
	if found := run(ledger.Hour, 20); found != nil { // 14,400 an hour
		t.Fatalf("a steady rate is %+v", found)
	}
	e, ok := p.estimate(k, s.now)
	if !ok || e.PerHour < 14_000 || e.PerHour > 14_800 {
		t.Errorf("an estimate of %+v, %v", e, ok)
	}
	found := run(5*ledger.Minute, 1000)
	if len(found) != 1 || found[0].scope != (ledger.Scope{Budget: "cap", All: true}) || found[0].times <= 10 || found[0].rest != ledger.Minute {
		t.Fatalf("fifty times the rate: %+v", found)
	}
	s.apply(ledger.TripBudget{Scope: found[0].scope, Cause: ledger.ByRate})
	if again := run(ledger.Minute, 1000); again != nil {
		t.Errorf("it is tripped already: %+v", again)
	}
	s.apply(ledger.ResetBreaker{Scope: found[0].scope, Close: true})
	if again := run(8*ledger.Minute, 1000); again != nil {
		t.Errorf("after it was reset this is its rate: %+v", again)
	}
}

// TestALookGoesOnWhereTheLastEnded, so that many accounts are looked at in turn.
func TestALookGoesOnWhereTheLastEnded(t *testing.T) {
	s := newSpender(t, ledger.Budget{
		ID: "cust", Unit: ledger.Requests, Limit: 10, Window: ledger.Window{Kind: ledger.Total}, Each: []ledger.DimRef{{Dim: ledger.DimCustomer}},
	})
	const more = 500
	for i := 0; i < maxLooks+more; i += 1000 {
		s.seq++
		x := &ledger.Exchange{Node: "n1", Incarnation: 1, Seq: s.seq}
		for j := range min(1000, maxLooks+more-i) {
			x.Rows = append(x.Rows, ledger.Row{Account: ledger.AccountKey{Budget: "cust", Split: ledger.Split(string(rune(0x4e00+(i+j)%20000)) + string(rune('a'+(i+j)/20000)))}, Want: 1})
		}
		s.apply(x)
	}
	p := newPacer()
	p.look(s.state, 1)
	if n := p.tracker.Len(); n != maxLooks {
		t.Errorf("one look is at %d accounts", n)
	}
	p.look(s.state, 2)
	if n := p.tracker.Len(); n != maxLooks+more || p.next != (ledger.AccountKey{}) {
		t.Errorf("two looks are at %d, the next begins at %v", n, p.next)
	}
}
