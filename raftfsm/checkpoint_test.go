package raftfsm

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/raft"

	"purser/ledger"
)

// replica is a state machine whose checkpoints are digested.
type replica struct {
	*FSM
	index uint64
	ended chan error
}

// newReplica is run by synctest: its digests are taken when the others wait.
func newReplica(ctx context.Context) *replica {
	r := &replica{FSM: New(), ended: make(chan error, 1)}
	go func() { r.ended <- r.Compare(ctx) }()
	return r
}

func (r *replica) take(entries ...[]byte) {
	for _, b := range entries {
		r.index++
		r.Apply(&raft.Log{Index: r.index, Data: b})
	}
	synctest.Wait()
}

func TestACheckpointStopsAReplicaThatDiffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		leader, same, other := newReplica(ctx), newReplica(ctx), newReplica(ctx)
		entries := newWorkload(3).entries(200)
		now := 1_800_000_000 * ledger.Second
		check := func() []byte { return ledgerEntry(now, leader.Checkpoint()) }

		all := func(b ...[]byte) { leader.take(b...); same.take(b...); other.take(b...) }
		all(entries[:100]...)
		all(check())
		first := leader.Checkpoint()
		if first.Index != 101 || first.Digest == [32]byte{} {
			t.Fatalf("after a first checkpoint: %+v", first)
		}
		// What #695 of hashicorp/raft does: at one place of the log one replica has
		// another entry.
		leader.take(entries[100])
		same.take(entries[100])
		other.take(ledgerEntry(now, ledger.PutBudget{Budget: ledger.Budget{ID: "x", Unit: ledger.USD, Window: ledger.Window{Kind: ledger.Total}}}))
		all(check()) // of the state before
		if len(same.ended)+len(other.ended) > 0 {
			t.Fatal("a replica ended while all were equal")
		}
		all(entries[101:150]...)
		all(check())
		select {
		case err := <-other.ended:
			if !errors.Is(err, ErrDiverged) || !strings.Contains(err.Error(), "entry 103") {
				t.Errorf("it ended with %v", err)
			}
		default:
			t.Error("a replica that differs goes on")
		}
		stop()
		for _, r := range []*replica{leader, same} {
			if err := <-r.ended; err != nil {
				t.Errorf("a replica that is right ended: %v", err)
			}
		}
	})
}

// TestACheckpointComparesWhatItCan: a replica may be slow to digest, read its log
// again, or be given a snapshot, and is neither stopped for it nor kept waiting.
func TestACheckpointComparesWhatItCan(t *testing.T) {
	right := func(index uint64) ledger.Checkpoint { return ledger.Checkpoint{Index: index, Digest: [32]byte{1}} }
	wrong := func(index uint64) ledger.Checkpoint { return ledger.Checkpoint{Index: index, Digest: [32]byte{2}} }
	begin := func(f *FSM) { f.compared.working, f.compared.waiting = f.compared.waiting.index, nil }
	for _, c := range []struct {
		name   string
		run    func(f *FSM)
		broken bool
	}{
		{"a claim that comes while the digest is taken", func(f *FSM) {
			f.compared.checkpoint(ledger.Checkpoint{}, image{index: 5})
			begin(f)
			f.compared.checkpoint(wrong(5), image{index: 9})
			f.digested(right(5))
		}, true},
		{"a claim that comes before the digest is begun", func(f *FSM) {
			f.compared.checkpoint(ledger.Checkpoint{}, image{index: 5})
			f.compared.checkpoint(wrong(5), image{index: 9})
			begin(f)
			f.digested(right(5))
		}, true},
		{"a claim of a state that was never digested here", func(f *FSM) {
			f.compared.checkpoint(wrong(3), image{index: 5})
			begin(f)
			f.digested(right(5))
			f.compared.checkpoint(wrong(4), image{index: 9})
		}, false},
		{"a snapshot that comes while the digest is taken", func(f *FSM) {
			f.compared.checkpoint(ledger.Checkpoint{}, image{index: 5})
			begin(f)
			f.compared.checkpoint(wrong(5), image{index: 9})
			f.compared.reset()
			f.digested(right(5))
		}, false},
	} {
		f := New()
		c.run(f)
		if (f.compared.broken != nil) != c.broken {
			t.Errorf("%s: broken is %v", c.name, f.compared.broken)
		}
	}
}

func TestACheckpointChangesNothing(t *testing.T) {
	s := ledger.New()
	s.Apply(5, ledger.Tick{})
	before := s.Digest()
	out := s.Apply(5, ledger.Checkpoint{Index: 9, Digest: [32]byte{1}})
	if out.Code != ledger.Applied || s.Digest() != before {
		t.Errorf("it changed something: %+v", out)
	}
}
