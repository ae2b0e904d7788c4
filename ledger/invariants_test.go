package ledger

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// small is a ledger with one hard budget of 100 and two nodes.
type small struct {
	*State
	t   testing.TB
	key AccountKey
	seq map[NodeID]uint64
}

func newSmall(t testing.TB, limit Amount, kind WindowKind) *small {
	s := &small{State: New(), t: t, key: AccountKey{Budget: "team"}, seq: map[NodeID]uint64{}}
	s.must(PutBudget{Budget: Budget{ID: "team", Unit: USD, Limit: limit, Window: Window{Kind: kind}}})
	s.must(Register{Node: "n1"})
	s.must(Register{Node: "n2"})
	return s
}

func (s *small) must(c Command) Outcome {
	s.t.Helper()
	out := s.Apply(s.Now(), c)
	if out.Code != Applied {
		s.t.Fatalf("%#v: %s", c, out.Code)
	}
	return out
}

// ask sends one row and, if missing is above zero, a need of it.
func (s *small) ask(id NodeID, r Row, missing Amount) (AnswerRow, Verdict) {
	s.t.Helper()
	s.seq[id]++
	n, _ := s.Node(id)
	if r.Account == (AccountKey{}) {
		r.Account = s.key
	}
	x := &Exchange{Node: id, Incarnation: n.Incarnation, Seq: s.seq[id], Rows: []Row{r}}
	if missing > 0 {
		x.Needs = []Need{{[]Claim{{0, missing}}}}
	}
	ans := s.must(x).Answer
	if missing > 0 {
		return ans.Rows[0], ans.Needs[0].Verdict
	}
	return ans.Rows[0], 0
}

func (s *small) account() AccountView {
	s.t.Helper()
	a, ok := s.Account(s.key)
	if !ok {
		s.t.Fatalf("no account %s", s.key)
	}
	return a
}

func TestL1BreachPanics(t *testing.T) {
	s := newSmall(t, 100, Total)
	s.ask("n1", Row{}, 10)
	a, _ := s.accounts.get(s.key)
	a.available++ // as a fault in memory or in this package would
	if s.Check() == nil {
		t.Error("Check sees nothing")
	}
	defer func() {
		if p := recover(); p == nil || !strings.Contains(p.(string), "team") {
			t.Errorf("Apply goes on: %v", p)
		}
	}()
	s.ask("n1", Row{Spent: 1}, 0)
}

// TestL1CheckSeesEveryDisagreement breaks one table at a time.
func TestL1CheckSeesEveryDisagreement(t *testing.T) {
	for name, harm := range map[string]func(s *State, a *account, l *lease){
		"lease spends":         func(_ *State, _ *account, l *lease) { l.spent++ },
		"lease granted":        func(_ *State, _ *account, l *lease) { l.granted-- },
		"lease overrun":        func(_ *State, _ *account, l *lease) { l.overrun = l.spent + 1 },
		"lease rate":           func(_ *State, _ *account, l *lease) { l.rate = -1 },
		"lease earlier":        func(_ *State, _ *account, l *lease) { l.earlierOverrun = 1 },
		"lease done":           func(_ *State, _ *account, l *lease) { l.done = true },
		"account spends":       func(_ *State, a *account, _ *lease) { a.spent++ },
		"account presumes":     func(_ *State, a *account, _ *lease) { a.presumed = a.spent + 1 },
		"account rates":        func(_ *State, a *account, _ *lease) { a.rates++ },
		"account open":         func(_ *State, a *account, _ *lease) { a.open++ },
		"account unit":         func(_ *State, a *account, _ *lease) { a.unit = Tokens },
		"account limit":        func(_ *State, a *account, _ *lease) { a.limit++; a.available++ },
		"account key":          func(_ *State, a *account, _ *lease) { a.key.Split = "x" },
		"account leases order": func(_ *State, a *account, _ *lease) { a.leases[0], a.leases[1] = a.leases[1], a.leases[0] },
		"account expiring":     func(_ *State, a *account, _ *lease) { a.expiring = true },
		"budget":               func(s *State, _ *account, _ *lease) { s.budgets.remove(s.epoch, "team") },
		"budget accounts":      func(s *State, _ *account, _ *lease) { s.editRule("team").accounts++ },
		"node leases":          func(s *State, _ *account, _ *lease) { s.editNode("n1").leases++ },
		"node fenced":          func(s *State, _ *account, _ *lease) { s.editNode("n1").fenced = true },
		"holding lost":         func(s *State, a *account, _ *lease) { s.holdings.remove(s.epoch, holding{"n1", a.key}) },
		"holding invented":     func(s *State, a *account, _ *lease) { s.holdings.put(s.epoch, holding{"n3", a.key}, struct{}{}) },
		"expiry invented":      func(s *State, a *account, _ *lease) { s.expiry.put(s.epoch, expiry{1, a.key}, struct{}{}) },
	} {
		s := newSmall(t, 100, PerMinute)
		s.ask("n1", Row{Rate: 1}, 10)
		s.ask("n1", Row{Spent: 5, Rate: 1}, 0)
		s.ask("n2", Row{}, 10)
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
		a, _ := s.accounts.get(s.key)
		harm(s.State, a, a.lease("n1"))
		if s.Check() == nil {
			t.Errorf("%s: Check sees nothing", name)
		}
	}
}

// TestL2EscrowLeavesAtOnce: what one node was granted no other node is, whether
// or not the first one ever hears of it.
func TestL2EscrowLeavesAtOnce(t *testing.T) {
	s := newSmall(t, 100, Total)
	if _, v := s.ask("n1", Row{}, 60); v != NeedGranted { // the answer is lost
		t.Fatal(v)
	}
	if _, v := s.ask("n2", Row{}, 41); v != NeedContended {
		t.Errorf("60 and 41 of 100: %s", v)
	}
	if _, v := s.ask("n2", Row{}, 40); v != NeedGranted {
		t.Errorf("60 and 40 of 100: %s", v)
	}
}

// TestL3CumulativeRepeatsAndReorders delivers the messages of a node again, late
// and out of order: only the first arrival of the newest counts.
func TestL3CumulativeRepeatsAndReorders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := &generator{t: t, p: newPair()}
		var sent []Command
		for range rapid.IntRange(5, 40).Draw(t, "steps") {
			c := g.command()
			g.p.apply(t, c)
			sent = append(sent, c)
			if again := rapid.SampledFrom(sent).Draw(t, "again"); idempotent(again) && stale(g.p.state, again) {
				before := g.p.state.Digest()
				g.p.state.Apply(g.p.now, again)
				if g.p.state.Digest() != before {
					t.Fatalf("%#v changed the state when it came again", again)
				}
			}
		}
	})
}

func idempotent(c Command) bool {
	switch c.(type) {
	case *Exchange, Register:
		return true
	}
	return false
}

// stale reports whether the node has been heard past c.
func stale(s *State, c Command) bool {
	switch c := c.(type) {
	case *Exchange:
		n, ok := s.Node(c.Node)
		return ok && (c.Incarnation != n.Incarnation || c.Seq <= n.Seq)
	case Register:
		n, ok := s.Node(c.Node)
		return ok && c.Previous != n.Incarnation
	}
	return false
}

// TestL3CountersMergeByMax: a report that is behind what is known takes nothing back.
func TestL3CountersMergeByMax(t *testing.T) {
	s := newSmall(t, 100, Total)
	s.ask("n1", Row{}, 50)
	s.ask("n1", Row{Spent: 20, Returned: 10}, 0)
	s.ask("n1", Row{Spent: 5, Returned: 15}, 0)
	if l, _ := s.Lease(s.key, "n1"); l.Spent != 20 || l.Returned != 15 {
		t.Errorf("spent %d, returned %d", l.Spent, l.Returned)
	}
}

// TestL4AmbiguityRetriesTheSameSeq: however often an Exchange is tried again, its
// need is granted once.
func TestL4AmbiguityRetriesTheSameSeq(t *testing.T) {
	s := newSmall(t, 100, Total)
	x := &Exchange{Node: "n1", Incarnation: 1, Seq: 1, Rows: []Row{{Account: s.key}}, Needs: []Need{{[]Claim{{0, 30}}}}}
	first := s.must(x)
	for range 5 {
		out := s.Apply(s.Now()+Second, x)
		if out.Code != Repeated || !reflect.DeepEqual(out.Answer, first.Answer) {
			t.Fatalf("tried again: %+v", out)
		}
	}
	if a := s.account(); a.Outstanding != 30 {
		t.Errorf("outstanding %d", a.Outstanding)
	}
	loaded := reload(t, s.State) // the memory outlives a restart
	if out := loaded.Apply(s.Now(), x); out.Code != Repeated || !reflect.DeepEqual(out.Answer, first.Answer) {
		t.Errorf("after a restart: %+v", out)
	}
}

// TestL5NoReclaimByClock: no length of time brings back what a silent node holds.
func TestL5NoReclaimByClock(t *testing.T) {
	for _, kind := range []WindowKind{Total, PerMinute, PerMonth} {
		s := newSmall(t, 100, kind)
		s.ask("n1", Row{}, 60)
		for range 50 {
			s.Apply(s.Now()+400*Day, Tick{})
		}
		if a := s.account(); a.Outstanding != 60 || a.Available != 40 || a.Holders != 1 {
			t.Errorf("%s: after 50 years %+v", kind, a)
		}
	}
}

func TestL6LateSettlesStayInTheirWindow(t *testing.T) {
	s := newSmall(t, 100, PerHour)
	s.ask("n1", Row{}, 60)
	s.Apply(Hour+Second, Tick{})
	next := AccountKey{Budget: "team", Start: Hour}
	if _, v := s.ask("n1", Row{Account: next}, 100); v != NeedGranted {
		t.Errorf("the whole limit of the new window: %s", v)
	}
	s.ask("n1", Row{Spent: 60}, 0)
	if a := s.account(); a.Spent != 60 || a.State != Ended {
		t.Errorf("the old window: %+v", a)
	}
	if a, _ := s.Account(next); a.Spent != 0 || a.Outstanding != 100 {
		t.Errorf("the new window: %+v", a)
	}
	if _, v := s.ask("n1", Row{}, 1); v != NeedRefused {
		t.Errorf("a need of the old window: %s", v)
	}
}

// TestL6PreGrantsComeOutOfTheNextWindow also says how early they may be had.
func TestL6PreGrantsComeOutOfTheNextWindow(t *testing.T) {
	s := newSmall(t, 100, PerHour)
	next := AccountKey{Budget: "team", Start: Hour}
	s.Apply(Hour-PreGrant-1, Tick{})
	if r, _ := s.ask("n1", Row{Account: next, Want: 50}, 0); r.State != NotYet || r.Granted != 0 {
		t.Errorf("too early: %+v", r)
	}
	s.Apply(Hour-PreGrant, Tick{})
	if r, _ := s.ask("n1", Row{Account: next, Want: 50}, 0); r.State != Open || r.Granted != 50 {
		t.Errorf("in time: %+v", r)
	}
	if r, _ := s.ask("n1", Row{}, 100); r.Granted != 100 {
		t.Errorf("this window: %+v", r)
	}
}

func TestL7TimeNeverRunsBackwards(t *testing.T) {
	s := newSmall(t, 100, PerHour)
	s.Apply(3*Hour, Tick{})
	s.Apply(Hour, Tick{})
	if s.Now() != 3*Hour {
		t.Errorf("now is %d", s.Now())
	}
	if r, _ := s.ask("n1", Row{Account: AccountKey{Budget: "team", Start: Hour}, Want: 1}, 0); r.State != Ended {
		t.Errorf("a window of the past: %+v", r)
	}
	s.Apply(-5, Tick{})
	s.Apply(4*Hour, Fence{"nobody"}) // a refused command brings its time all the same
	if s.Now() != 4*Hour {
		t.Errorf("now is %d", s.Now())
	}
}

// TestL8ClonesMayBeReadMeanwhile is for the race detector.
func TestL8ClonesMayBeReadMeanwhile(t *testing.T) {
	s := newSmall(t, 1_000_000, Total)
	var readers sync.WaitGroup
	defer readers.Wait()
	for i := range 20 {
		clone := s.Clone()
		readers.Go(func() {
			digest := clone.Digest()
			if err := clone.Check(); err != nil {
				t.Error(err)
			}
			for range clone.Accounts("team") {
			}
			if clone.Digest() != digest {
				t.Error("a clone changed")
			}
		})
		for range 50 {
			s.ask("n1", Row{Spent: Amount(i)}, 1)
		}
		s.must(PutBudget{Budget: Budget{ID: BudgetID(fmt.Sprint("b", i)), Unit: USD, Window: Window{Kind: Total}}})
	}
}

// TestL8DigestNamesTheState: different states, different digests.
func TestL8DigestNamesTheState(t *testing.T) {
	s := newSmall(t, 100, Total)
	seen := map[[32]byte]string{s.Digest(): "new"}
	for _, step := range []struct {
		name string
		c    Command
	}{
		{"time", nil},
		{"budget", PutBudget{Budget: Budget{ID: "b", Unit: USD, Window: Window{Kind: Total}}}},
		{"soft", PutBudget{Budget: Budget{ID: "b", Unit: USD, Window: Window{Kind: Total}, Soft: true}}},
		{"was soft", PutBudget{Budget: Budget{ID: "b", Unit: USD, Window: Window{Kind: Total}}}},
		{"node", Register{Node: "n3", Store: StoreID{1}}},
		{"grant", &Exchange{Node: "n1", Incarnation: 1, Seq: 1, Rows: []Row{{Account: s.key, Want: 5}}}},
		{"seq", &Exchange{Node: "n1", Incarnation: 1, Seq: 2}},
		{"marks", &Exchange{Node: "n1", Incarnation: 1, Seq: 3, MarkSeq: 1}},
		{"fence", Fence{"n2"}},
	} {
		if step.c == nil {
			s.Apply(s.Now()+1, Tick{})
		} else {
			s.must(step.c)
		}
		if was, ok := seen[s.Digest()]; ok {
			t.Errorf("%s: the digest of %s", step.name, was)
		}
		seen[s.Digest()] = step.name
	}
}
