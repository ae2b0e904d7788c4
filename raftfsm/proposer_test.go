package raftfsm

import (
	"context"
	"errors"
	"fmt"
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
	return l, NewProposer(l, l.fsm, h.clock()), h
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

	lossy := NewProposer(lossyLog{l}, l.fsm, SystemClock())
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

func TestTheDeadlineBoundsTheWaitForATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, p, _ := newLocal()
		var got []time.Duration
		l.before = func(_ []byte, d time.Duration) error { got = append(got, d); return nil }
		for _, limit := range []time.Duration{time.Hour, time.Second} {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			if _, err := p.Propose(ctx, ledger.Tick{}); err != nil {
				t.Fatal(err)
			}
			cancel()
		}
		if got[0] != enqueueWait || got[1] != time.Second {
			t.Errorf("waits %v", got)
		}
	})
}

func TestL9ProposalsInFlightAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, p, _ := newLocal()
		gate := make(chan struct{})
		var mu sync.Mutex
		entered := 0
		l.before = func([]byte, time.Duration) error {
			mu.Lock()
			entered++
			mu.Unlock()
			<-gate
			return nil
		}
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
		if entered != maxInFlight {
			t.Errorf("%d reached the log", entered)
		}
		close(gate)
		callers.Wait()
		p.Close()
	})
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
	p := NewProposer(l, l.fsm, SystemClock())
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
		p := NewProposer(l, l.fsm, SystemClock()) // the bubble's
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
