package raftfsm_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"purser/cluster"
	"purser/internal/directory"
	"purser/ledger"
	"purser/raftfsm"
)

// life is one run of a node's replicated part, on real parts.
type life struct {
	fsm  *raftfsm.FSM
	node *cluster.Node
	prop *raftfsm.Proposer
}

func begin(dir string) (*life, error) {
	fsm := raftfsm.New()
	node, err := cluster.Open(cluster.Config{Dir: dir, NodeID: "n1", FSM: fsm, Exit: func(err error) { panic(err) }})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := node.WaitReady(ctx, nil); err != nil {
		return nil, errors.Join(err, node.Close())
	}
	return &life{fsm: fsm, node: node, prop: raftfsm.NewProposer(node, fsm, raftfsm.SystemClock(), nil)}, nil
}

func (l *life) end() error {
	l.prop.Close()
	return l.node.Close()
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func key(id string) directory.PutKey {
	return directory.PutKey{Key: directory.Key{ID: directory.KeyID(id), Hash: sha256.Sum256([]byte(id))}}
}

// work proposes from several goroutines at once: budgets, keys, and the
// exchanges of a node of its own for each.
func (l *life) work(t *testing.T, round int) {
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			node := ledger.NodeID(fmt.Sprintf("n%d-%d", w, round))
			propose := func(c ledger.Command) ledger.Outcome {
				out, err := l.prop.Propose(t.Context(), c)
				if err != nil {
					t.Errorf("%T: %v", c, err)
				}
				return out
			}
			budget := ledger.Budget{ID: ledger.BudgetID(fmt.Sprint("b", w)), Unit: ledger.USD,
				Limit: ledger.Amount(round+1) * ledger.NanoPerUSD, Window: ledger.Window{Kind: ledger.Total}}
			propose(ledger.PutBudget{Budget: budget})
			inc := propose(ledger.Register{Node: node, Store: ledger.StoreID{byte(w)}}).Incarnation
			row := ledger.Row{Account: ledger.AccountKey{Budget: budget.ID}, Want: 1000}
			for seq := range uint64(10) {
				out := propose(&ledger.Exchange{Node: node, Incarnation: inc, Seq: seq + 1, Rows: []ledger.Row{row}})
				if out.Code != ledger.Applied {
					t.Errorf("exchange: %v", out.Code)
					return
				}
				row.Spent = out.Answer.Rows[0].Granted / 2
			}
			if _, err := l.prop.ProposeDirectory(t.Context(), key(fmt.Sprintf("k%d-%d", w, round))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// TestL8RestartsAndSnapshotsGiveTheSameDigest, over a real log and real snapshots.
func TestL8RestartsAndSnapshotsGiveTheSameDigest(t *testing.T) {
	dir := t.TempDir()
	want := raftfsm.New().Digests()
	for round := range 5 {
		l := must[*life](t)(begin(dir))
		if got := l.fsm.Digests(); got != want {
			t.Fatalf("round %d begins at entry %d with another state than was left at entry %d", round, got.Index, want.Index)
		}
		if round > 0 && l.fsm.Now() == 0 {
			t.Error("ledger time began anew")
		}
		l.work(t, round)
		if round%2 == 1 {
			if err := l.node.Snapshot(); err != nil {
				t.Fatal(err)
			}
		}
		if round == 3 {
			l.work(t, round+100) // some entries behind the snapshot
		}
		if err := l.fsm.Ledger().Check(); err != nil {
			t.Error(err)
		}
		want = l.fsm.Digests()
		if err := l.end(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestADamagedSnapshotIsRefusedAtStart(t *testing.T) {
	dir := t.TempDir()
	l := must[*life](t)(begin(dir))
	l.work(t, 0)
	if err := errors.Join(l.node.Snapshot(), l.end()); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "snapshots", "*", "state.bin"))
	if err != nil || len(files) != 1 {
		t.Fatalf("snapshots %v, %v", files, err)
	}
	b := must[[]byte](t)(os.ReadFile(files[0]))
	b[len(b)/2] ^= 1
	if err := os.WriteFile(files[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := begin(dir); !errors.Is(err, cluster.ErrCorrupt) {
		t.Errorf("begin = %v", err)
	}
}

func TestAClosedLogLeavesTheOutcomeOpen(t *testing.T) {
	l := must[*life](t)(begin(t.TempDir()))
	if err := l.node.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.prop.Propose(t.Context(), ledger.Tick{}); !errors.Is(err, raftfsm.ErrAmbiguous) {
		t.Errorf("Propose = %v", err)
	}
	l.prop.Close()
}

const childDir = "PURSER_TEST_RAFT_DIR"

// TestChild is no test: it is the process that TestKilledAtAnyMoment kills. It
// proposes keys and prints the ID of each one that was acknowledged.
func TestChild(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		t.Skip("runs as a child only")
	}
	l, err := begin(dir)
	if err != nil {
		fmt.Println("error", err)
		return
	}
	have := l.fsm.Directory().Len()
	for i := have; ; i++ {
		id := fmt.Sprint("k", i)
		if out, err := l.prop.ProposeDirectory(context.Background(), key(id)); err != nil || out.Code != directory.Applied {
			fmt.Println("error", id, out.Code, err)
			return
		}
		fmt.Println("acknowledged", id)
		if i%50 == 49 {
			if err := l.node.Snapshot(); err != nil {
				fmt.Println("error", err)
				return
			}
		}
	}
}

// TestKilledAtAnyMoment: what was acknowledged is there after SIGKILL, and the
// directory opens each time.
func TestKilledAtAnyMoment(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewSource(seed))
	dir := t.TempDir()
	acknowledged := map[string]bool{}
	for range 6 {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestChild$")
		child.Env = append(os.Environ(), childDir+"="+dir)
		out := must[*bufio.Scanner](t)(scan(child))
		for n, most := 0, 1+r.Intn(120); n < most && out.Scan(); {
			word, id, _ := strings.Cut(out.Text(), " ")
			switch word {
			case "acknowledged":
				acknowledged[id] = true
				n++
			case "error":
				t.Errorf("child: %s", id)
				n = most
			}
		}
		cancel() // SIGKILL
		for out.Scan() {
			if word, id, _ := strings.Cut(out.Text(), " "); word == "acknowledged" {
				acknowledged[id] = true
			}
		}
		_ = child.Wait() // it was killed
	}
	l := must[*life](t)(begin(dir))
	for id := range acknowledged {
		if _, ok := l.fsm.Directory().Key(directory.KeyID(id)); !ok {
			t.Errorf("key %s was acknowledged and is gone", id)
		}
	}
	if have := l.fsm.Directory().Len(); len(acknowledged) == 0 || have < len(acknowledged) || have > len(acknowledged)+6 {
		t.Errorf("%d keys, %d were acknowledged", have, len(acknowledged))
	}
	if err := l.end(); err != nil {
		t.Error(err)
	}
}

func scan(c *exec.Cmd) (*bufio.Scanner, error) {
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return bufio.NewScanner(out), c.Start()
}

func BenchmarkPropose(b *testing.B) {
	l, err := begin(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer l.end()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := l.prop.Propose(b.Context(), ledger.Tick{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
