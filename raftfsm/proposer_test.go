package raftfsm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"purser/internal/directory"
	"purser/ledger"
)

// localLog applies entries to its state machine at once, unless before says otherwise.
type localLog struct {
	mu     sync.Mutex
	fsm    *FSM
	index  uint64
	before func(entry []byte, timeout time.Duration) error
}

func (l *localLog) Apply(entry []byte, timeout time.Duration) (any, error) {
	if l.before != nil {
		if err := l.before(entry, timeout); err != nil {
			return nil, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.index++
	return l.fsm.Apply(&raft.Log{Index: l.index, Data: entry}), nil
}

func newLocal() (*localLog, *Proposer, *hands) {
	l := &localLog{fsm: New()}
	h := &hands{wall: base}
	return l, NewProposer(l, l.fsm, h.clock(), nil), h
}

func TestProposalsReachBothRooms(t *testing.T) {
	l, p, h := newLocal()
	out, err := p.Propose(t.Context(), putBudget)
	if err != nil || out.Code != ledger.Applied {
		t.Fatalf("Propose = %+v, %v", out, err)
	}
	h.pass(time.Second, 0)
	dout, err := p.ProposeDirectory(t.Context(), putKey)
	if err != nil || dout.Code != directory.Applied {
		t.Fatalf("ProposeDirectory = %+v, %v", dout, err)
	}
	if k, ok := l.fsm.Directory().Key("a"); !ok || k.Created != base+ledger.Second {
		t.Errorf("key %+v, %v", k, ok)
	}
	if l.fsm.Ledger().Now() != base || l.fsm.Now() != base+ledger.Second {
		t.Errorf("ledger time %d, now %d", l.fsm.Ledger().Now()-base, l.fsm.Now()-base)
	}
	out, err = p.Propose(t.Context(), ledger.DeleteBudget{ID: "none"})
	if err != nil || out.Code != ledger.UnknownBudget {
		t.Errorf("a refusal is not an error: %+v, %v", out, err)
	}
}

// TestL4AmbiguityIsNotRefusal sorts every error the library gives for an entry.
func TestL4AmbiguityIsNotRefusal(t *testing.T) {
	cases := []struct {
		err  error
		want error
	}{
		{raft.ErrLeadershipLost, ErrAmbiguous},
		{raft.ErrEnqueueTimeout, ErrAmbiguous},
		{raft.ErrRaftShutdown, ErrAmbiguous},
		{raft.ErrAbortedByRestore, ErrAmbiguous},
		{errors.New("write raft.db: input/output error"), ErrAmbiguous},
		{fmt.Errorf("apply entry: %w", raft.ErrLeadershipLost), ErrAmbiguous},
		{raft.ErrNotLeader, ErrNotProposed},
		{fmt.Errorf("apply entry: %w", raft.ErrNotLeader), ErrNotProposed},
		{raft.ErrNotVoter, ErrNotProposed},
		{raft.ErrLeadershipTransferInProgress, ErrNotProposed},
	}
	for _, c := range cases {
		l, p, _ := newLocal()
		l.before = func([]byte, time.Duration) error { return c.err }
		_, err := p.Propose(t.Context(), ledger.Tick{})
		other := ErrAmbiguous
		if c.want == ErrAmbiguous {
			other = ErrNotProposed
		}
		if !errors.Is(err, c.want) || errors.Is(err, other) || !errors.Is(err, errors.Unwrap(c.err)) && !errors.Is(err, c.err) {
			t.Errorf("%v becomes %v, want %v", c.err, err, c.want)
		}
	}
}

// TestL4AnExchangeWhoseAnswerWasLostIsRepeated: what was applied before the
// error is not applied again.
func TestL4AnExchangeWhoseAnswerWasLostIsRepeated(t *testing.T) {
	l, p, _ := newLocal()
	must := func(c ledger.Command) ledger.Outcome {
		t.Helper()
		out, err := p.Propose(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	must(putBudget)
	must(ledger.Register{Node: "n1"})
	x := &ledger.Exchange{Node: "n1", Incarnation: 1, Seq: 1, Rows: []ledger.Row{{Account: ledger.AccountKey{Budget: "b"}}},
		Needs: []ledger.Need{{Claims: []ledger.Claim{{Row: 0, Missing: 1}}}}}

	lossy := NewProposer(lossyLog{l}, l.fsm, SystemClock(), nil)
	_, err := lossy.Propose(t.Context(), x)
	if !errors.Is(err, ErrAmbiguous) {
		t.Fatalf("the lost answer gives %v", err)
	}
	out := must(x)
	if out.Code != ledger.Repeated || out.Answer == nil || out.Answer.Rows[0].Granted != 1 {
		t.Errorf("the repetition gives %+v", out)
	}
}

// lossyLog applies the entry and loses leadership before it can say so.
type lossyLog struct{ *localLog }

func (l lossyLog) Apply(entry []byte, timeout time.Duration) (any, error) {
	_, _ = l.localLog.Apply(entry, timeout)
	return nil, raft.ErrLeadershipLost
}

func TestL7AJumpOfTheClockIsNotProposed(t *testing.T) {
	l, p, h := newLocal()
	if _, err := p.Propose(t.Context(), ledger.Tick{}); err != nil {
		t.Fatal(err)
	}
	h.pass(time.Second, time.Hour)
	_, err := p.Propose(t.Context(), ledger.Tick{})
	if !errors.Is(err, ErrClockJump) || !errors.Is(err, ErrNotProposed) {
		t.Errorf("after a jump: %v", err)
	}
	if l.index != 1 || l.fsm.Now() != base {
		t.Errorf("%d entries, now %d", l.index, l.fsm.Now()-base)
	}
	h.pass(0, -time.Hour)
	if _, err := p.Propose(t.Context(), ledger.Tick{}); err != nil || l.fsm.Now() != base+ledger.Second {
		t.Errorf("after it was set right: %v, now %d", err, l.fsm.Now()-base)
	}
}

func TestL7TimeGoesOnWhereAnEarlierLeaderLeftIt(t *testing.T) {
	l, p, _ := newLocal()
	l.index++
	l.fsm.Apply(&raft.Log{Index: l.index, Data: ledgerEntry(base+ledger.Hour, ledger.Tick{})})
	if _, err := p.ProposeDirectory(t.Context(), putKey); err != nil {
		t.Fatal(err)
	}
	if k, _ := l.fsm.Directory().Key("a"); k.Created != base+ledger.Hour {
		t.Errorf("created at %d", k.Created-base)
	}
}

func TestACallerThatStopsWaitingDoesNotKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, p, _ := newLocal()
		gate := make(chan struct{})
		l.before = func([]byte, time.Duration) error { <-gate; return nil }
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := p.Propose(ctx, putBudget)
		if !errors.Is(err, ErrAmbiguous) || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Propose = %v", err)
		}
		close(gate)
		p.Close() // waits for the entry
		if _, ok := l.fsm.Ledger().Budget("b"); !ok {
			t.Error("the entry was lost by the caller's impatience")
		}
	})
}

func TestACallerThatNeverWaitedKnows(t *testing.T) {
	l, p, _ := newLocal()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Propose(ctx, putBudget); !errors.Is(err, ErrNotProposed) || !errors.Is(err, context.Canceled) {
		t.Errorf("Propose = %v", err)
	}
	p.Close()
	if _, err := p.Propose(t.Context(), putBudget); !errors.Is(err, ErrNotProposed) {
		t.Errorf("Propose after Close = %v", err)
	}
	if l.index != 0 {
		t.Errorf("%d entries were made", l.index)
	}
}

// TestCallersShareAnEntry: what comes while entries are on their way gathers for
// the next one, in order, and each caller gets its own outcome.
func TestCallersShareAnEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, p, _ := newLocal()
		gate := make(chan struct{})
		var entries atomic.Int64
		l.before = func([]byte, time.Duration) error { entries.Add(1); <-gate; return nil }
		var callers sync.WaitGroup
		for i := range 100 {
			callers.Go(func() {
				k := putKey
				k.Key.ID, k.Key.Hash = directory.KeyID(fmt.Sprintf("k%d", i)), directory.Hash{1, byte(i)}
				if out, err := p.ProposeDirectory(t.Context(), k); err != nil || out.Code != directory.Applied {
					t.Errorf("key %d: %+v, %v", i, out, err)
				}
			})
			callers.Go(func() {
				if out, err := p.Propose(t.Context(), ledger.DeleteBudget{ID: "none"}); err != nil || out.Code != ledger.UnknownBudget {
					t.Errorf("ledger: %+v, %v", out, err)
				}
			})
			synctest.Wait()
		}
		if n := entries.Load(); n != maxFlights {
			t.Errorf("%d entries under way", n)
		}
		close(gate)
		callers.Wait()
		p.Close()
		if n := entries.Load(); n > maxFlights+1 || l.fsm.Directory().Len() != 100 {
			t.Errorf("200 commands took %d entries and made %d keys", n, l.fsm.Directory().Len())
		}
	})
}

func TestACallerInTheQueueCanStillWithdraw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, p, _ := newLocal()
		gate := make(chan struct{})
		l.before = func([]byte, time.Duration) error { <-gate; return nil }
		var callers sync.WaitGroup
		for range maxFlights {
			callers.Go(func() { _, _ = p.Propose(t.Context(), ledger.Tick{}) })
			synctest.Wait()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := p.Propose(ctx, putBudget); !errors.Is(err, ErrNotProposed) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Propose = %v", err)
		}
		close(gate)
		callers.Wait()
		p.Close()
		if _, ok := l.fsm.Ledger().Budget("b"); ok {
			t.Error("what was withdrawn was applied")
		}
	})
}

func TestL9ProposalsInFlightAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, p, _ := newLocal()
		gate := make(chan struct{})
		var entered atomic.Int64
		l.before = func([]byte, time.Duration) error { entered.Add(1); <-gate; return nil }
		var callers sync.WaitGroup
		for range maxInFlight {
			callers.Go(func() { _, _ = p.Propose(t.Context(), ledger.Tick{}) })
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := p.Propose(ctx, ledger.Tick{}); !errors.Is(err, ErrNotProposed) {
			t.Errorf("one more = %v", err)
		}
		if entered.Load() != maxFlights {
			t.Errorf("%d reached the log", entered.Load())
		}
		close(gate)
		callers.Wait()
		p.Close()
		if most := int64(maxFlights + maxInFlight/maxBatch + 1); entered.Load() > most {
			t.Errorf("%d entries for %d proposals", entered.Load(), maxInFlight)
		}
	})
}

// toLeader is the route of a follower.
type toLeader struct {
	leading func() bool
	leader  *Proposer
	calls   int
	err     error // of each call, or of the first few
	few     int
}

func (r *toLeader) Leading() bool { return r.leading != nil && r.leading() }

func (r *toLeader) Forward(ctx context.Context, room Room, command []byte) ([]byte, error) {
	r.calls++
	if r.err != nil && (r.few == 0 || r.calls <= r.few) {
		return nil, r.err
	}
	return r.leader.Carry(ctx, "", room, command)
}

func TestAFollowerForwards(t *testing.T) {
	l, leader, h := newLocal()
	route := &toLeader{leader: leader}
	follower := NewProposer(nil, New(), h.clock(), route)
	out, err := follower.Propose(t.Context(), putBudget)
	if err != nil || out.Code != ledger.Applied {
		t.Fatalf("Propose = %+v, %v", out, err)
	}
	if out, err := follower.ProposeDirectory(t.Context(), putKey); err != nil || out.Code != directory.Applied || out.Version != 1 {
		t.Fatalf("ProposeDirectory = %+v, %v", out, err)
	}
	if _, ok := l.fsm.Ledger().Budget("b"); !ok || l.fsm.Directory().Len() != 1 {
		t.Error("the leader has not applied it")
	}
	route.err = fmt.Errorf("%w: the connection broke", ErrAmbiguous)
	if _, err := follower.Propose(t.Context(), putBudget); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("a broken connection: %v", err)
	}
	if _, err := leader.Carry(t.Context(), "", RoomLedger, []byte{1, 99}); !errors.Is(err, ErrNotProposed) {
		t.Errorf("a command of a later build: %v", err)
	}
	if _, err := leader.Carry(t.Context(), "", roomBatch, nil); !errors.Is(err, ErrNotProposed) {
		t.Errorf("a room that is none: %v", err)
	}
}

func TestAProposalWaitsForALeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, leader, h := newLocal()
		route := &toLeader{leader: leader, err: NoLeader("an election is under way")}
		follower := NewProposer(nil, New(), h.clock(), route)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := follower.Propose(ctx, putBudget); !errors.Is(err, ErrNotProposed) {
			t.Errorf("without a leader: %v", err)
		}
		if route.calls < 10 || route.calls > 100 {
			t.Errorf("it looked %d times in a second", route.calls)
		}
		route.few = route.calls + 10
		if out, err := follower.Propose(t.Context(), putBudget); err != nil || out.Code != ledger.Applied {
			t.Errorf("when there is one: %+v, %v", out, err)
		}
		if l.index != 1 {
			t.Errorf("%d entries", l.index)
		}
	})
}

// TestALeaderWithAWrongClockStampsNothing: what its clock says would be ledger time
// for good, so that proposals wait until it, or another leader, may stamp.
func TestALeaderWithAWrongClockStampsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _, h := newLocal()
		h.wall += 5 * ledger.Hour
		p := NewProposer(l, l.fsm, h.clock(), &toLeader{leading: func() bool { return true }})
		defer p.Close()
		fit := false
		p.Fit = func() bool { return fit }
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := p.Propose(ctx, putBudget); !errors.Is(err, ErrNotProposed) || !errors.Is(err, ErrNoLeader) {
			t.Errorf("with a wrong clock: %v", err)
		}
		if l.index != 0 || l.fsm.Now() != 0 {
			t.Errorf("%d entries, ledger time %d", l.index, l.fsm.Now())
		}
		h.wall -= 5 * ledger.Hour
		fit = true
		if out, err := p.Propose(t.Context(), putBudget); err != nil || out.Code != ledger.Applied || l.fsm.Now() != base {
			t.Errorf("set right: %+v, %v, ledger time %d", out, err, l.fsm.Now())
		}
	})
}

// TestContendedAccountsAreTold: the leader learns where a request waits for what
// another node may have idle.
func TestContendedAccountsAreTold(t *testing.T) {
	_, p, _ := newLocal()
	var told []ledger.AccountKey
	p.Contended = func(node ledger.NodeID, accounts []ledger.AccountKey) {
		if node != "n2" {
			t.Errorf("told of %s", node)
		}
		told = append(told, accounts...)
	}
	must := func(c ledger.Command) {
		t.Helper()
		if _, err := p.Propose(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	put := putBudget
	put.Budget.Limit = 10
	must(put)
	must(ledger.Register{Node: "n1", Store: ledger.StoreID{1}})
	must(ledger.Register{Node: "n2", Store: ledger.StoreID{2}})
	ask := func(node ledger.NodeID, amount ledger.Amount) *ledger.Exchange {
		return &ledger.Exchange{Node: node, Incarnation: 1, Seq: 1, Rows: []ledger.Row{{Account: ledger.AccountKey{Budget: "b"}}},
			Needs: []ledger.Need{{Claims: []ledger.Claim{{Row: 0, Missing: amount}}}}}
	}
	must(ask("n1", 9))
	if len(told) != 0 {
		t.Errorf("told of %v although it was granted", told)
	}
	must(ask("n2", 2))
	if len(told) != 1 || told[0].Budget != "b" {
		t.Errorf("told of %v", told)
	}
}

func TestL9AnEntryHasALimit(t *testing.T) {
	l, p, _ := newLocal()
	big := ledger.DeleteBudget{ID: ledger.BudgetID(make([]byte, maxEntry))}
	if _, err := p.Propose(t.Context(), big); !errors.Is(err, ErrNotProposed) {
		t.Errorf("Propose = %v", err)
	}
	if l.index != 0 {
		t.Error("it reached the log")
	}
	p.Close()
}

func TestConcurrentProposals(t *testing.T) {
	l := &localLog{fsm: New()}
	p := NewProposer(l, l.fsm, SystemClock(), nil)
	var callers sync.WaitGroup
	for i := range 8 {
		callers.Go(func() {
			for j := range 50 {
				k := putKey
				k.Key.ID = directory.KeyID(fmt.Sprintf("k%d-%d", i, j))
				k.Key.Hash = directory.Hash{byte(i + 1), byte(j)}
				if out, err := p.ProposeDirectory(t.Context(), k); err != nil || out.Code != directory.Applied {
					t.Errorf("%s: %+v, %v", k.Key.ID, out, err)
				}
				_ = l.fsm.Ledger().Now()
				_ = l.fsm.Digests()
			}
		})
	}
	callers.Wait()
	p.Close()
	if n := l.fsm.Directory().Len(); n != 400 {
		t.Errorf("%d keys", n)
	}
}

func TestSweepLetsTimePass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &localLog{fsm: New()}
		p := NewProposer(l, l.fsm, SystemClock(), nil) // the bubble's
		ctx, cancel := context.WithCancel(t.Context())
		var leading atomic.Bool
		leading.Store(true)
		var sweep sync.WaitGroup
		sweep.Go(func() { p.Sweep(ctx, time.Second, leading.Load) })
		sleepUntil := func(d time.Duration) { <-time.After(d); synctest.Wait() }

		sleepUntil(10500 * time.Millisecond)
		if l.index < 5 || l.index > 10 {
			t.Errorf("%d ticks in 10 s", l.index)
		}
		leading.Store(false)
		before := l.index
		sleepUntil(10 * time.Second)
		if l.index != before {
			t.Error("a follower ticks")
		}
		cancel()
		sweep.Wait()
		p.Close()
	})
}

// TestTheLevelOfRaisesAndBreakers: earlier builds cannot read them, nor a budget that
// says more than theirs could; what theirs could say stays as it was.
func TestTheLevelOfRaisesAndBreakers(t *testing.T) {
	b := putBudget.Budget
	breaker := b
	breaker.Breaker.Probes = 1
	for _, c := range []ledger.Command{
		ledger.PutRaise{}, ledger.EndRaise{}, ledger.TripBudget{}, ledger.ResetBreaker{}, ledger.Probed{},
		ledger.PutBudget{Budget: breaker}, ledger.PutBudget{Budget: b, Expect: 7},
	} {
		if level := ledgerMessage(c).level(); level != GovernanceLevel {
			t.Errorf("%#v is of level %d", c, level)
		}
	}
	if level := ledgerMessage(ledger.PutBudget{Budget: b}).level(); level != 0 {
		t.Errorf("a budget as it always was is of level %d", level)
	}
}

// TestARaiseThatEndsIsAChangeOfBudgets, whichever command lets it end: those who go
// by the rules hear of it.
func TestARaiseThatEndsIsAChangeOfBudgets(t *testing.T) {
	f := New()
	apply := func(at ledger.Instant, c ledger.Command) Versions {
		f.Apply(&raft.Log{Index: f.index + 1, Data: newEntry(at, ledgerMessage(c))})
		return f.Versions()
	}
	apply(1, putBudget)
	raise := ledger.Raise{Budget: putBudget.Budget.ID, ID: "r", All: true, Amount: 5, Until: 100}
	raised := apply(2, ledger.PutRaise{Raise: raise})
	if same := apply(99, ledger.Tick{}); same != raised {
		t.Errorf("nothing ended: %+v, %+v", raised, same)
	}
	if ended := apply(100, ledger.Tick{}); ended.Budgets != raised.Budgets+1 || len(f.Ledger().Raises(raise.Budget)) != 0 {
		t.Errorf("it ended: %+v, %+v", raised, ended)
	}
}

// TestACommandThatNotAllCanReadIsNotProposed: its entry would stop a replica of an
// earlier build. Whoever brings it, its own node or another, is told so.
func TestACommandThatNotAllCanReadIsNotProposed(t *testing.T) {
	l, p, _ := newLocal()
	var asked []uint32
	reads := false
	p.Readable = func(level uint32) bool { asked = append(asked, level); return reads }
	c := directory.AdmitGateway{Node: directory.Node{ID: "g1", Address: "a:1"}, Token: directory.Hash{1}}
	m := directoryMessage(c)
	if _, err := p.ProposeDirectory(t.Context(), c); !errors.Is(err, ErrNotProposed) || !errors.Is(err, ErrNotReadable) {
		t.Errorf("ProposeDirectory = %v", err)
	}
	if _, err := p.Carry(t.Context(), "", m.room, m.body); !errors.Is(err, ErrNotProposed) || !errors.Is(err, ErrNotReadable) {
		t.Errorf("Carry = %v", err)
	}
	if l.index != 0 {
		t.Fatalf("%d entries", l.index)
	}
	if _, err := p.Propose(t.Context(), putBudget); err != nil {
		t.Errorf("what all can read: %v", err)
	}
	reads = true
	if out, err := p.ProposeDirectory(t.Context(), c); err != nil || out.Code != directory.UnknownToken {
		t.Errorf("once all can read it: %+v, %v", out, err)
	}
	if !slices.Equal(asked, []uint32{GatewayLevel, GatewayLevel, GatewayLevel}) || Level < GatewayLevel {
		t.Errorf("it asked for levels %v", asked)
	}
}
