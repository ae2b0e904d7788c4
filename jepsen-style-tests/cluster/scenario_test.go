package cluster

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"purser/cluster"
	"purser/internal/purse"
	"purser/jepsen-style-tests/check"
	"purser/ledger"
)

// judge settles the world and fails the test for every violation.
func (w *world) judge() {
	w.t.Helper()
	took, ends := w.settle()
	w.t.Logf("seed %d: returned and added up in %v (C8)", w.seed, took.Round(time.Millisecond))
	if took > patience {
		w.t.Errorf("C8: it took %v", took)
	}
	for _, problem := range w.verdict(ends) {
		w.t.Errorf("seed %d: %s", w.seed, problem)
	}
}

// busy runs clients at nodes while a function runs.
func (w *world) busy(p load, do func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	var clients sync.WaitGroup
	for i := range *clientsFlag {
		clients.Go(func() { w.client(ctx, i, p) })
	}
	do()
	cancel()
	clients.Wait()
}

// since is the counts without those from before.
func (c counts) since(before counts) counts {
	return counts{c.admitted - before.admitted, c.refused - before.refused, c.undecided - before.undecided, c.down - before.down, c.broken - before.broken}
}

func (w *world) counted() counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counts
}

const plenty ledger.Amount = 1_000_000_000

// rich is one budget that nobody reaches the end of.
func rich() []ledger.Budget {
	return []ledger.Budget{{ID: hot, Unit: ledger.USD, Limit: plenty, Window: ledger.Window{Kind: ledger.Total}}}
}

// as in production but for the seams of a test.
func production(w *world) {
	w.timing, w.purse = cluster.LAN(), purse.Default()
}

// TestWarmPursesGoOnWithoutALeader: while the leader is away nodes admit from what
// they hold, with the waits of production. Requests that find a node dead do not
// count: no purse is asked.
func TestWarmPursesGoOnWithoutALeader(t *testing.T) {
	const least = 0.999
	for _, c := range []struct {
		name string
		lose func(w *world, m *member)
	}{
		{"isolated", func(w *world, m *member) { w.isolate(m, true) }},
		{"killed", func(w *world, m *member) { m.kill(0, rand.New(rand.NewPCG(w.seed, 3))) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 1, 3, rich(), production)
			p := load{most: 40, think: 2 * time.Millisecond, call: 2 * time.Millisecond, nodes: w.members}
			var gone counts
			w.busy(p, func() {
				w.pass(t.Context(), 1500*time.Millisecond) // the rates become known
				lost, before, at := w.mustLead(), w.counted(), w.at()
				c.lose(w, lost)
				w.lost = append(w.lost, at)
				w.eventually("another leader", func() bool { m := w.leader(); return m != nil && m != lost })
				w.pass(t.Context(), 500*time.Millisecond)
				gone = w.counted().since(before)
			})
			share := float64(gone.admitted) / float64(gone.admitted+gone.undecided+gone.refused)
			recoveries := check.Recoveries(w.lost, w.applied.Entries())
			t.Logf("leader %s: %.5f of %d requests admitted (%d undecided, %d refused; %d found their node down); next entry after %v (C10)",
				c.name, share, gone.admitted+gone.undecided+gone.refused, gone.undecided, gone.refused, gone.down+gone.broken, recoveries)
			if share < least {
				t.Errorf("%.5f of the requests were admitted, %.3f is what is asked for", share, least)
			}
			w.judge()
		})
	}
}

// reserve asks a node for a hold and ends it at once, as a call that was made if it
// is to be billed.
func (w *world) reserve(m *member, customer string, amount ledger.Amount) (purse.Refusal, error) {
	l := m.running()
	if l == nil {
		return purse.Refusal{}, errDead
	}
	var chain purse.Chain
	d := ledger.Dimensions{}
	d.Values[ledger.DimCustomer] = customer
	if err := l.purse.Resolve(&chain, &d); err != nil {
		return purse.Refusal{}, err
	}
	h, no, err := l.purse.Reserve(w.t.Context(), &chain.Money, purse.Claim{USD: amount})
	if err == nil && !no.Refused() {
		w.call(w.t.Context(), l, h, order{hold: amount, cost: amount}, rand.New(rand.NewPCG(w.seed, 4)))
	}
	return no, err
}

// idle is what a node could still give of a budget.
func idle(m *member, id ledger.BudgetID) (sum ledger.Amount) {
	for _, a := range m.running().purse.Snapshot().Accounts {
		if a.Key.Budget == id {
			sum += a.Free + a.Unissued
		}
	}
	return sum
}

// forCustomer is a budget of one customer.
func forCustomer(id ledger.BudgetID, customer string) ledger.Budget {
	return ledger.Budget{
		ID: id, Unit: ledger.USD, Limit: plenty, Window: ledger.Window{Kind: ledger.Total},
		Match: []ledger.Condition{{Dim: ledger.DimRef{Dim: ledger.DimCustomer}, Values: []string{customer}}},
	}
}

// TestAMinoritySpendsWhatItHoldsAndStops: a node that is cut off admits no more
// than what it had, then decides nothing; when authority_ttl is over it admits
// nothing although it has something left.
func TestAMinoritySpendsWhatItHoldsAndStops(t *testing.T) {
	w := newWorld(t, 1, 3, []ledger.Budget{forCustomer("spent", "a"), forCustomer("left", "b")}, nil)
	w.busy(load{customers: []string{"a", "b"}, most: 40, think: 2 * time.Millisecond, call: time.Millisecond, nodes: w.members}, func() {
		w.pass(t.Context(), time.Second)
	})
	alone := w.others(w.mustLead())[0]
	cutOff := time.Now()
	w.isolate(alone, true)
	had, admittedSum := idle(alone, "spent"), ledger.Amount(0)
	const hold = 10
	var err error
	for err == nil {
		var no purse.Refusal
		if no, err = w.reserve(alone, "a", hold); err == nil && no.Refused() {
			t.Fatalf("refused without the ledger's word: %+v", no)
		} else if err == nil {
			admittedSum += hold
		}
		if admittedSum > had {
			t.Fatalf("%d admitted of %d", admittedSum, had)
		}
	}
	if !errors.Is(err, purse.ErrUndecided) {
		t.Errorf("with nothing left: %v", err)
	}
	if admittedSum+hold <= had {
		t.Errorf("%d admitted of %d: it stopped too early", admittedSum, had)
	}
	left := idle(alone, "left")
	if left < hold {
		t.Fatalf("nothing is left of the other budget: %d", left)
	}
	if _, err := w.reserve(alone, "b", hold); err != nil {
		t.Errorf("the other budget, before authority_ttl is over: %v", err)
	}
	w.eventually("the node to stop by itself", func() bool { return !alone.running().purse.Snapshot().Admitting })
	stopped := time.Since(cutOff)
	if _, err := w.reserve(alone, "b", hold); !errors.Is(err, purse.ErrNoAuthority) {
		t.Errorf("with %d left and no authority: %v", idle(alone, "left"), err)
	}
	if limit := w.purse.AuthorityTTL + time.Second; stopped > limit {
		t.Errorf("it stopped after %v, authority_ttl is %v", stopped, w.purse.AuthorityTTL)
	}
	t.Logf("a minority node admitted %d of the %d it held, then decided nothing; it stopped %v after the cut (authority_ttl %v) with %d left", admittedSum, had, stopped.Round(time.Millisecond), w.purse.AuthorityTTL, left-hold)
	w.judge()
}

// TestALoweredLimitReachesEveryNode: below what is spent already, so that from then
// on each node refuses, with the new limit as its reason.
func TestALoweredLimitReachesEveryNode(t *testing.T) {
	w := newWorld(t, 1, 3, rich(), nil)
	lead := w.mustLead()
	far := w.others(lead)[0]
	w.busy(load{most: 40, think: 2 * time.Millisecond, call: time.Millisecond, nodes: w.members}, func() {
		w.pass(t.Context(), time.Second)
		w.isolate(far, true)
		low := rich()[0]
		low.Limit = 100
		if !w.put(lead, low) {
			t.Fatal("the limit was not taken")
		}
		began := time.Now()
		knows := func(m *member) func() bool {
			return func() bool {
				no, err := w.reserve(m, "", 1)
				return err == nil && no.Refused() && no.Limit == low.Limit
			}
		}
		for _, m := range w.others(far) {
			w.eventually(m.name+" to refuse", knows(m))
		}
		near := time.Since(began)
		if near > w.purse.AuthorityTTL {
			t.Errorf("it took %v, authority_ttl is %v", near, w.purse.AuthorityTTL)
		}
		w.eventually("the isolated node to stop", func() bool { return !far.running().purse.Snapshot().Admitting })
		w.mesh.Heal()
		healed := w.eventually(far.name+" to refuse", knows(far))
		t.Logf("a lowered limit was obeyed by the nodes with a quorum after %v, by the isolated one %v after the heal", near.Round(time.Millisecond), healed.Round(time.Millisecond))
		w.mu.Lock()
		rows := len(w.bill)
		w.mu.Unlock()
		for _, m := range w.members {
			if !knows(m)() {
				t.Errorf("%s does not refuse", m.name)
			}
		}
		w.mu.Lock()
		late := len(w.bill) - rows
		w.mu.Unlock()
		if most := *clientsFlag; late > most {
			t.Errorf("%d calls were billed after every node refused; %d can have been under way", late, most)
		}
	})
	w.judge()
}

// TestAFenceReachesTheNode: what an unreachable holder has is written off at once;
// it stops by its authority_ttl, ends when it hears of the fence, and cannot come
// back.
func TestAFenceReachesTheNode(t *testing.T) {
	w := newWorld(t, 1, 3, rich(), nil)
	lead := w.mustLead()
	gone := w.others(lead)[0]
	w.busy(load{most: 40, think: 2 * time.Millisecond, call: time.Millisecond, nodes: w.members}, func() {
		w.pass(t.Context(), time.Second)
		const some = 2000
		w.eventually("the node to hold something", func() bool { return idle(gone, hot) > some })
		w.isolate(gone, true)
		gone.mu.Lock()
		gone.fenced = true
		gone.mu.Unlock()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		out, err := lead.running().propose(ctx, ledger.Fence{Node: ledger.NodeID(gone.name)})
		if err != nil || out.Code != ledger.Applied {
			t.Fatalf("fence: %+v, %v", out, err)
		}
		view, _ := lead.running().fsm.Ledger().Account(hotKey)
		if view.WrittenOff == 0 {
			t.Error("nothing was written off")
		}
		w.eventually("the fenced node to stop", func() bool { return !gone.running().purse.Snapshot().Admitting })
		w.mesh.Heal()
		ended := w.eventually("the fenced node to end", func() bool { return gone.running() == nil })
		w.aside.Wait()
		l := gone.start(false)
		w.eventually("the fenced node not to come back", func() bool { return !l.alive(func() {}) })
		t.Logf("a fence wrote %d off; the node ended %v after it could hear of it", view.WrittenOff, ended.Round(time.Millisecond))
	})
	w.judge()
}

// TestALostAnswerIsAskedForAgain, when the message ended a lease: under its number
// it is the same message, under another one it would report spending that nothing
// backs any more (L4).
func TestALostAnswerIsAskedForAgain(t *testing.T) {
	w := newWorld(t, 1, 3, rich(), func(w *world) { w.purse.Idle = time.Second })
	far := w.others(w.mustLead())[0]
	if no, err := w.reserve(far, "", 10); err != nil || no.Refused() {
		t.Fatalf("%+v, %v", no, err)
	}
	l := far.running()
	last := func(c ledger.Command) bool {
		x, ok := c.(*ledger.Exchange)
		return ok && slices.ContainsFunc(x.Rows, func(r ledger.Row) bool { return r.Done && r.Spent > 0 })
	}
	l.deaf.Store(&last)
	w.eventually("the end of the lease to be told, and told again", func() bool { return l.unheard.Load() >= 2 })
	l.deaf.Store(nil)
	w.eventually("it to admit again", func() bool {
		no, err := w.reserve(far, "", 10)
		return err == nil && !no.Refused()
	})
	if far.running() != l {
		t.Error("the node did not live through it")
	}
	w.judge()
}

// TestWhatIsHeldAtACrashIsPresumed: nothing was synced since the hold but the mark
// before it; the call was made, and is accounted for.
func TestWhatIsHeldAtACrashIsPresumed(t *testing.T) {
	w := newWorld(t, 1, 3, rich(), nil)
	far := w.others(w.mustLead())[0]
	l := far.running()
	var chain purse.Chain
	if err := l.purse.Resolve(&chain, &ledger.Dimensions{}); err != nil {
		t.Fatal(err)
	}
	const hold = 10
	h, no, err := l.purse.Reserve(t.Context(), &chain.Money, purse.Claim{USD: hold})
	if err != nil || no.Refused() {
		t.Fatalf("%+v, %v", no, err)
	}
	w.provide(h.Held(nil), hold)
	far.kill(0, rand.New(rand.NewPCG(1, 3)))
	far.start(false)
	w.ready(far)
	if view, ok := w.read(0, far, hotKey); !ok || view.Presumed < hold {
		t.Errorf("%d presumed, %d was billed", view.Presumed, hold)
	}
	w.judge()
}

// TestADeposedLeaderAnswersNoRead: it is more patient than the others, and thinks
// that it leads when they have another leader already.
func TestADeposedLeaderAnswersNoRead(t *testing.T) {
	patient := cluster.Timing{Election: 4 * time.Second, Lease: 4 * time.Second, Commit: 20 * time.Millisecond, InFlight: 1}
	w := newWorld(t, 1, 3, rich(), func(w *world) { w.timing.Election, w.slow = time.Second, &patient })
	if no, err := w.reserve(w.members[0], "", 10); err != nil || no.Refused() {
		t.Fatalf("%+v, %v", no, err)
	}
	old := w.members[len(w.members)-1]
	w.eventually("the patient node to lead", func() bool {
		if l := w.mustLead(); l != old {
			_ = l.running().raft.Transfer(old.name) // it may be too far behind yet
		}
		return w.mustLead() == old
	})
	w.isolate(old, true)
	var next *member
	w.eventually("another leader", func() bool {
		for _, m := range w.others(old) {
			if m.running().raft.Leader() {
				next = m
			}
		}
		return next != nil
	})
	low := rich()[0]
	low.Limit--
	if !w.put(next, low) {
		t.Fatal("the next leader decided nothing")
	}
	if !old.running().raft.Leader() {
		t.Fatal("the old leader knows already")
	}
	if view, ok := w.read(0, old, hotKey); ok {
		t.Errorf("a deposed leader read a limit of %d after one of %d was acknowledged", view.Limit, low.Limit)
	}
	w.judge()
}

// TestANodeThatFreezesAsItIsMadeLeaderIsReplaced: leadership is handed to a node
// that is not heard of any more at any moment of it; its connections stay open.
func TestANodeThatFreezesAsItIsMadeLeaderIsReplaced(t *testing.T) {
	const rounds = 6
	w := newWorld(t, 1, 3, rich(), production)
	rng := rand.New(rand.NewPCG(w.seed, 5))
	var longest time.Duration
	for range rounds {
		lead := w.mustLead()
		to := w.others(lead)[rng.IntN(2)]
		pause := time.Duration(rng.IntN(8)) * time.Millisecond
		var handing sync.WaitGroup
		handing.Go(func() { _ = lead.running().raft.Transfer(to.name) }) // it may fail: that is the point
		w.pass(t.Context(), pause)
		w.isolate(to, true)
		took := w.eventually("another leader than the frozen "+to.name, func() bool {
			m := w.leader()
			return m != nil && m != to
		})
		longest = max(longest, took)
		w.isolate(to, false)
		handing.Wait()
	}
	t.Logf("%d times, a leader within %v", rounds, longest.Round(time.Millisecond))
	w.judge()
}
