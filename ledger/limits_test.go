package ledger

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestL9BoundedTables fills each table and goes on.
func TestL9BoundedTables(t *testing.T) {
	s := newSmall(t, 100, Total)
	s.limits = limits{budgets: 3, nodes: 3, accounts: 4, accountsPerBudget: 3, leases: 4, leasesPerNode: 3, sweep: 1}
	each := func(id BudgetID) PutBudget {
		return PutBudget{Budget: Budget{ID: id, Unit: USD, Limit: 10, Window: Window{Kind: Total}, Each: []DimRef{{Dim: DimCustomer}}}}
	}
	s.must(each("b"))
	s.must(each("c"))
	if out := s.Apply(0, each("d")); out.Code != LimitReached {
		t.Errorf("a fourth budget: %s", out.Code)
	}
	changed := each("c")
	changed.Budget.Limit = 11
	s.must(changed) // changing one needs no room
	s.must(Register{Node: "n3"})
	if out := s.Apply(0, Register{Node: "n4"}); out.Code != LimitReached {
		t.Errorf("a fourth node: %s", out.Code)
	}
	want := func(id NodeID, k AccountKey, state AccountState, verdict Verdict) {
		t.Helper()
		if r, v := s.ask(id, Row{Account: k}, 1); r.State != state || v != verdict {
			t.Errorf("%s of %s: %s, %s; want %s, %s", k, id, r.State, v, state, verdict)
		}
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
	}
	for _, split := range []Split{"1", "2", "3"} {
		want("n1", AccountKey{Budget: "b", Split: split}, Open, NeedGranted)
	}
	want("n1", AccountKey{Budget: "b", Split: "4"}, NoAccount, NeedRefused) // of its budget
	want("n1", AccountKey{Budget: "b", Split: "1"}, Open, NeedGranted)      // it has that one
	want("n1", AccountKey{Budget: "c", Split: "1"}, NoAccount, NeedRefused) // leases of the node
	want("n2", AccountKey{Budget: "c", Split: "1"}, Open, NeedGranted)
	want("n2", AccountKey{Budget: "c", Split: "2"}, NoAccount, NeedRefused) // accounts of all
	want("n2", AccountKey{Budget: "b", Split: "1"}, NoAccount, NeedRefused) // leases of all
	if r, _ := s.ask("n2", Row{Account: AccountKey{Budget: "b", Split: "2"}, Want: 1}, 0); r.State != NoAccount {
		t.Errorf("ahead of need: %s", r.State)
	}
	if reload(t, s.State).Digest() != s.Digest() {
		t.Error("a full state does not load")
	}
}

// TestL9OneTickDropsSoMany, so that it stays short; the rest comes with the next.
func TestL9OneTickDropsSoMany(t *testing.T) {
	s := newSmall(t, 100, PerMinute)
	s.limits.sweep = 2
	s.must(PutBudget{Budget: Budget{ID: "c", Unit: USD, Limit: 10, Window: Window{Kind: PerMinute}, Each: []DimRef{{Dim: DimCustomer}}}})
	for i := range 5 {
		k := AccountKey{Budget: "c", Split: Split(fmt.Sprint(i))}
		s.ask("n1", Row{Account: k}, 1)
		s.ask("n1", Row{Account: k, Done: true}, 0)
	}
	for _, want := range []int{3, 1, 0, 0} {
		s.Apply(2*Minute, Tick{})
		if s.accounts.size != want {
			t.Errorf("%d accounts, want %d", s.accounts.size, want)
		}
	}
}

// TestL9BoundedCommands: a command that is too large is refused whole.
func TestL9BoundedCommands(t *testing.T) {
	s := newSmall(t, 100, Total)
	rows := make([]Row, MaxRows+1)
	for i := range rows {
		rows[i].Account = AccountKey{Budget: BudgetID(fmt.Sprint(i))}
	}
	for name, c := range map[string]Command{
		"rows":          &Exchange{Node: "n1", Incarnation: 1, Seq: 1, Rows: rows},
		"needs":         &Exchange{Node: "n1", Incarnation: 1, Seq: 1, Needs: make([]Need, MaxNeeds+1)},
		"claims":        &Exchange{Node: "n1", Incarnation: 1, Seq: 1, Rows: rows[:1], Needs: []Need{{make([]Claim, MaxClaims+1)}}},
		"evidence":      Register{Node: "n1", Previous: 1, Evidence: make([]Evidence, MaxEvidence+1)},
		"node id":       Register{Node: NodeID(strings.Repeat("n", MaxNodeID+1))},
		"no node id":    Register{},
		"no seq":        &Exchange{Node: "n1", Incarnation: 1},
		"twice":         &Exchange{Node: "n1", Incarnation: 1, Seq: 1, Rows: []Row{rows[0], rows[0]}},
		"twice of many": &Exchange{Node: "n1", Incarnation: 1, Seq: 1, Rows: append(rows[:40:40], rows[0])},
		"no such row":   &Exchange{Node: "n1", Incarnation: 1, Seq: 1, Rows: rows[:1], Needs: []Need{{[]Claim{{1, 1}}}}},
		"row -1":        &Exchange{Node: "n1", Incarnation: 1, Seq: 1, Rows: rows[:1], Needs: []Need{{[]Claim{{-1, 1}}}}},
		"negative":      &Exchange{Node: "n1", Incarnation: 1, Seq: 1, Rows: []Row{{Returned: -1}}},
		"huge":          &Exchange{Node: "n1", Incarnation: 1, Seq: 1, Rows: []Row{{Spent: MaxAmount + 1}}},
		"overrun alone": &Exchange{Node: "n1", Incarnation: 1, Seq: 1, Rows: []Row{{Spent: 1, Overrun: 2}}},
		"done, wanting": &Exchange{Node: "n1", Incarnation: 1, Seq: 1, Rows: []Row{{Done: true, Want: 1}}},
		"missing debt":  &Exchange{Node: "n1", Incarnation: 1, Seq: 1, Rows: rows[:1], Needs: []Need{{[]Claim{{0, -1}}}}},
		"mark debt":     Register{Node: "n1", Previous: 1, Evidence: []Evidence{{Mark: -1}}},
		"proof":         Register{Node: "n1", Previous: 1, Evidence: []Evidence{{Proven: 1, Overrun: 2}}},
	} {
		before := s.Digest()
		if out := s.Apply(0, c); out.Code != InvalidCommand {
			t.Errorf("%s: %s", name, out.Code)
		}
		if s.Digest() != before {
			t.Errorf("%s: refused, and changed something", name)
		}
	}
	if out := s.Apply(0, &Exchange{Node: "n1", Incarnation: 1, Seq: 1, Rows: rows[:MaxRows]}); out.Code != Applied {
		t.Errorf("a full one: %s", out.Code)
	}
}

// TestL10TotalOnAnything: no command of any values, in any state, panics or breaks
// a table.
func TestL10TotalOnAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := &generator{t: t, p: newPair()}
		for range rapid.IntRange(0, 15).Draw(t, "sensible") {
			g.p.state.Apply(g.p.now, g.command())
		}
		s := g.p.state
		for range rapid.IntRange(1, 15).Draw(t, "anything") {
			now := Instant(rapid.OneOf(rapid.Int64Range(0, 200), rapid.Int64()).Draw(t, "now"))
			s.Apply(now, drawCommand(t))
			if err := s.Check(); err != nil {
				t.Fatal(err)
			}
		}
		if reload(t, s).Digest() != s.Digest() {
			t.Fatal("it does not load")
		}
	})
}

// TestL10SumsStayInRange pushes every sum to its end and beyond.
func TestL10SumsStayInRange(t *testing.T) {
	s := newSmall(t, MaxAmount, Total)
	s.must(PutBudget{Budget: Budget{ID: "soft", Unit: USD, Limit: MaxAmount, Window: Window{Kind: Total}, Soft: true}})
	soft := AccountKey{Budget: "soft"}
	if r, _ := s.ask("n1", Row{Account: soft, Spent: MaxAmount}, 0); r.State != Open || r.Granted != MaxAmount {
		t.Errorf("everything there is: %+v", r)
	}
	if r, _ := s.ask("n2", Row{Account: soft, Spent: 1}, 0); r.State != Unbacked {
		t.Errorf("one more: %+v", r)
	}
	if r, v := s.ask("n2", Row{Account: soft, Want: MaxAmount}, 1); r.Granted != 0 || v != NeedContended {
		t.Errorf("a grant of one more: %+v, %s", r, v)
	}
	if _, v := s.ask("n1", Row{}, MaxAmount); v != NeedGranted {
		t.Errorf("the whole hard budget: %s", v)
	}
	if r, _ := s.ask("n1", Row{Spent: MaxAmount, Overrun: MaxAmount}, 0); r.State != Open {
		t.Errorf("spent: %+v", r)
	}
	if r, _ := s.ask("n2", Row{Spent: 5, Overrun: 5}, 0); r.State != Unbacked {
		t.Errorf("overrun beyond all: %+v", r)
	}
	s.must(PutBudget{Budget: Budget{ID: "team", Unit: USD, Limit: 0, Window: Window{Kind: Total}}})
	s.must(PutBudget{Budget: Budget{ID: "team", Unit: USD, Limit: MaxAmount, Window: Window{Kind: Total}}})
	e := Evidence{Mark: MaxAmount, Proven: MaxAmount, Overrun: MaxAmount}
	hard := e
	hard.Account, e.Account = s.key, soft
	for i := range uint32(3) {
		s.must(Register{Node: "n1", Previous: i + 1, Evidence: []Evidence{hard, e}})
		s.must(Register{Node: "n2", Previous: i + 1, Evidence: []Evidence{hard, e}})
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

// TestL9ForgottenLeases: a node that is done with more leases than are remembered
// goes on, and a crash later does not count twice what records tell of a lease
// that was forgotten.
func TestL9ForgottenLeases(t *testing.T) {
	for _, remembered := range []int{0, 1} {
		s := newSmall(t, 1000, Total)
		s.limits.donePerNode = remembered
		s.ask("n1", Row{}, 500)
		s.ask("n1", Row{Spent: 500, Done: true}, 0)
		if _, ok := s.Lease(s.key, "n1"); ok != (remembered > 0) {
			t.Errorf("room for %d: remembered: %t", remembered, ok)
		}
		s.ask("n1", Row{Spent: 1, Overrun: 1}, 0) // of a hold of nothing: it begins the next lease
		if err := s.Check(); err != nil {
			t.Error(err)
		}
		s.ask("n1", Row{Spent: 1, Overrun: 1}, 9)
		if reload(t, s.State).Digest() != s.Digest() {
			t.Error("it does not load")
		}
		s.must(Register{Node: "n1", Previous: 1, Evidence: []Evidence{{Account: s.key, Mark: 6, Proven: 504, Overrun: 1}}})
		if a := s.account(); a.Spent != 506 || a.Outstanding != 0 || a.Presumed != 2*Amount(remembered) {
			t.Errorf("room for %d: %+v", remembered, a)
		}
		if err := s.Check(); err != nil {
			t.Error(err)
		}
	}
}

// TestL10EndOfTime: the last instant before the end is one like any other.
func TestL10EndOfTime(t *testing.T) {
	s := newSmall(t, 10, Total)
	s.Apply(MaxInstant-1, Tick{})
	s.ask("n1", Row{}, 8)
	if r, v := s.ask("n2", Row{}, 4); v != NeedContended || r.State != Open {
		t.Errorf("%s, %s", r.State, v)
	}
	if r, _ := s.ask("n1", Row{}, 0); r.Recall != 2 {
		t.Errorf("asked for %d", r.Recall)
	}
	if reload(t, s.State).Digest() != s.Digest() {
		t.Error("it does not load")
	}
	for kind := PerMinute; kind <= PerMonth; kind++ {
		id := BudgetID(kind.String())
		s.must(PutBudget{Budget: Budget{ID: id, Unit: USD, Limit: 5, Window: Window{Kind: kind}}})
		start, _ := (Window{Kind: kind}).Bounds(MaxInstant)
		if r, _ := s.ask("n1", Row{Account: AccountKey{Budget: id, Start: start}}, 1); r.State == Open {
			t.Errorf("%s: a window without an end is open", kind)
		}
	}
}
