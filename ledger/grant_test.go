package ledger

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestGuidedGrant(t *testing.T) {
	for _, c := range []struct {
		why                         string
		limit                       Amount
		otherRate, rate, want, need Amount
		granted                     Amount
	}{
		{"half of what there is", 1000, 0, 1, 900, 0, 500},
		{"no more than is wanted", 1000, 0, 1, 30, 0, 30},
		{"the need, if it is more", 1000, 0, 1, 30, 40, 40},
		{"the need, even beyond the share", 1000, 0, 1, 900, 700, 700},
		{"a third of the rate: a sixth", 1000, 2, 1, 900, 0, 149},
		{"no rate known: all count alike", 1000, 0, 0, 900, 0, 500},
		{"a need and the share are not added up", 1000, 0, 1, 400, 300, 400},
		{"nothing asked, nothing granted", 1000, 0, 1, 0, 0, 0},
		{"rates beyond reason are cut", 1000, 0, MaxAmount, 900, 0, 500},
	} {
		s := newSmall(t, c.limit, Total)
		if c.otherRate > 0 {
			s.ask("n2", Row{Rate: c.otherRate, Want: 100}, 1) // holds 100
		}
		before := c.limit
		if a, ok := s.Account(s.key); ok {
			before = a.Available
		}
		r, _ := s.ask("n1", Row{Rate: c.rate, Want: c.want}, c.need)
		if c.otherRate > 0 && c.granted == 149 {
			c.granted = before / 6
		}
		if r.Granted != c.granted {
			t.Errorf("%s: granted %d, want %d", c.why, r.Granted, c.granted)
		}
	}
}

func TestEndgameGrantsOnlyNeeds(t *testing.T) {
	const limit = 1_000_000 // the endgame begins at a share of 10
	early := newSmall(t, limit, Total)
	early.ask("n1", Row{Rate: 1}, limit-44)
	if r, _ := early.ask("n2", Row{Rate: 1, Want: 40}, 0); r.Granted != 11 {
		t.Errorf("with 44 left, half of a half is %d", r.Granted)
	}
	s := newSmall(t, limit, Total)
	s.ask("n1", Row{Rate: 1}, limit-36)
	if r, _ := s.ask("n2", Row{Rate: 1, Want: 30}, 0); r.Granted != 0 {
		t.Errorf("with 36 left, granted %d ahead", r.Granted)
	}
	if r, v := s.ask("n2", Row{Rate: 1, Want: 30}, 3); r.Granted != 3 || v != NeedGranted {
		t.Errorf("a need of 3 brought %d, %s", r.Granted, v)
	}
}

// TestEndgameComesEarlierWithManyHolders: what is left with each of them adds up.
func TestEndgameComesEarlierWithManyHolders(t *testing.T) {
	for open, want := range map[int]Amount{0: 10, 3: 10, 15: 10, 16: 20, 24: 30, 32: 40, 1000: 40} {
		if a := (&account{limit: 1_000_000, open: open}); a.endgame() != want {
			t.Errorf("with %d holders it begins at a share of %d, not %d", open, a.endgame(), want)
		}
	}
}

// TestLastHundredthTakesFewExchanges: two nodes that spend alike share the last
// hundredth in a number of Exchanges that grows with its logarithm.
func TestLastHundredthTakesFewExchanges(t *testing.T) {
	const limit = 100_000_000
	s := newSmall(t, limit, Total)
	s.ask("n1", Row{Rate: 1}, limit-limit/100)
	asks := 0
	for a, ok := s.Account(s.key); ok && a.Available > limit/5000; a, ok = s.Account(s.key) {
		if asks++; asks > 40 {
			t.Fatalf("%d of the last %d are left after %d Exchanges", a.Available, limit/100, asks)
		}
		s.ask([]NodeID{"n1", "n2"}[asks%2], Row{Rate: 1, Want: limit}, 0)
	}
}

// TestRecallBalances: while another node's request waits, a holder returns what
// it has beyond its part, unless requests wait there as well.
func TestRecallBalances(t *testing.T) {
	for what, c := range map[string]struct{ need, recall Amount }{
		"idle":                      {0, 800 - 500},
		"its own requests wait too": {1, 50},
	} {
		s := newSmall(t, 1000, Total)
		s.ask("n1", Row{Rate: 7}, 800)
		s.ask("n2", Row{Rate: 7}, 200)
		if _, v := s.ask("n2", Row{Rate: 7}, 50); v != NeedContended {
			t.Fatal(v)
		}
		if r, _ := s.ask("n1", Row{Rate: 7}, c.need); r.Recall != c.recall {
			t.Errorf("%s: recall %d, want %d", what, r.Recall, c.recall)
		}
	}
}

func TestNothingAheadWhileRequestsWait(t *testing.T) {
	s := newSmall(t, 1000, Total)
	s.ask("n1", Row{}, 800)
	if _, v := s.ask("n2", Row{}, 300); v != NeedContended {
		t.Fatal(v)
	}
	if r, _ := s.ask("n1", Row{Rate: 5, Want: 100}, 0); r.Granted != 800 || r.Recall != 100 {
		t.Errorf("n1 got %d ahead and is asked for %d", r.Granted-800, r.Recall)
	}
	if r, _ := s.ask("n2", Row{}, 0); r.Recall != 0 {
		t.Errorf("n2 is asked for %d because of its own request", r.Recall)
	}
	s.Apply(s.Now()+recallLife+1, Tick{})
	if r, _ := s.ask("n1", Row{Rate: 5, Want: 100}, 0); r.Granted != 900 || r.Recall != 0 {
		t.Errorf("when nobody waits, n1 got %d ahead and is asked for %d", r.Granted-800, r.Recall)
	}
}

// TestTwoThatWaitForEachOther: both hold some and need more than is available.
// Both are asked to return, so that one of them can go on.
func TestTwoThatWaitForEachOther(t *testing.T) {
	s := newSmall(t, 15, Total)
	s.ask("n1", Row{}, 5)
	s.ask("n2", Row{}, 5)
	s.ask("n1", Row{}, 6)
	if r, v := s.ask("n2", Row{}, 6); v != NeedContended || r.Recall == 0 {
		t.Fatalf("n2: %s, asked for %d", v, r.Recall)
	}
	r, _ := s.ask("n1", Row{}, 0)
	if r.Recall == 0 {
		t.Fatal("n1 is asked for nothing")
	}
	s.ask("n1", Row{Returned: r.Recall}, 0)
	if _, v := s.ask("n2", Row{}, 6); v != NeedGranted {
		t.Errorf("n2 after n1 gave way: %s", v)
	}
}

// TestUtilisation spends a budget from many nodes at once, with real recall, and
// wants next to all of it spent at the first refusal.
func TestUtilisation(t *testing.T) {
	const nodes, cost, limit = 20, 7, 200_000
	s := newSmall(t, limit, Total)
	s.t = t
	rng := rand.New(rand.NewPCG(1, 2))
	type holder struct {
		id                       NodeID
		granted, spent, returned Amount
	}
	var all []*holder
	for i := range nodes {
		id := NodeID(fmt.Sprint("n", i+1))
		if i > 1 {
			s.must(Register{Node: id})
		}
		all = append(all, &holder{id: id})
	}
	exchanges := 0
	ask := func(h *holder, need Amount) Verdict {
		exchanges++
		row, v := s.ask(h.id, Row{Spent: h.spent, Returned: h.returned, Want: 1000, Rate: 100}, need)
		h.granted = row.Granted
		if row.Recall > 0 {
			h.returned += min(row.Recall, h.granted-h.spent-h.returned)
			s.ask(h.id, Row{Spent: h.spent, Returned: h.returned}, 0)
		}
		return v
	}
	for {
		h := all[min(rng.IntN(nodes), rng.IntN(nodes))]
		if missing := cost - (h.granted - h.spent - h.returned); missing > 0 {
			v := ask(h, missing)
			for try := 0; v == NeedContended && try < 2; try++ {
				for _, other := range all {
					if other != h {
						ask(other, 0)
					}
				}
				v = ask(h, cost-(h.granted-h.spent-h.returned))
			}
			if v != NeedGranted {
				break
			}
		}
		h.spent += cost
	}
	for _, h := range all {
		ask(h, 0)
	}
	spent := s.account().Spent
	t.Logf("spent %d of %d in %d exchanges", spent, limit, exchanges)
	if spent < limit*999/1000 || spent > limit {
		t.Errorf("spent %d of %d at the first refusal", spent, limit)
	}
}
