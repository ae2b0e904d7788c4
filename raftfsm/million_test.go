package raftfsm_test

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"purser/cluster"
	"purser/ledger"
	"purser/raftfsm"
)

// accounts is how many accounts TestMillion makes. With a million it takes a
// gigabyte: make figures.
var accounts = flag.Int("accounts", 50_000, "accounts of TestMillion")

// holders is how many nodes share the accounts, one open lease each: as many as
// it takes for a million leases.
const holders = 16

// timedFSM notes the longest Apply.
type timedFSM struct {
	*raftfsm.FSM
	mu      sync.Mutex
	applies int
	longest time.Duration
}

func (f *timedFSM) Apply(l *raft.Log) any {
	begin := time.Now()
	out := f.FSM.Apply(l)
	took := time.Since(begin)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.applies++
	f.longest = max(f.longest, took)
	return out
}

// since returns what was noted since the last call.
func (f *timedFSM) since() (applies int, longest time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	applies, longest = f.applies, f.longest
	f.applies, f.longest = 0, 0
	return applies, longest
}

// crowd is a ledger with many accounts of one budget, on a real log.
type crowd struct {
	*life
	timed *timedFSM
	seqs  [holders]uint64
	spent map[int]ledger.Amount
}

func openCrowd(t *testing.T, dir string) *crowd {
	t.Helper()
	timed := &timedFSM{FSM: raftfsm.New()}
	node, err := cluster.Open(cluster.Config{Dir: dir, NodeID: "n1", FSM: timed, Exit: func(err error) { panic(err) }})
	if err != nil {
		t.Fatal(err)
	}
	if err := node.WaitReady(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	l := &life{fsm: timed.FSM, node: node, prop: raftfsm.NewProposer(node, timed.FSM, raftfsm.SystemClock(), nil)}
	return &crowd{life: l, timed: timed, spent: map[int]ledger.Amount{}}
}

func (c *crowd) propose(t *testing.T, cmd ledger.Command) ledger.Outcome {
	t.Helper()
	out, err := c.prop.Propose(t.Context(), cmd)
	if err != nil || out.Code != ledger.Applied {
		t.Fatalf("%T: %v, %v", cmd, out.Code, err)
	}
	return out
}

// perCustomer is the budget: a cap for each customer.
func perCustomer(limit ledger.Amount) ledger.PutBudget {
	return ledger.PutBudget{Budget: ledger.Budget{ID: "per-customer", Unit: ledger.USD, Limit: limit,
		Window: ledger.Window{Kind: ledger.Total}, Each: []ledger.DimRef{{Dim: ledger.DimCustomer}}}}
}

func holder(i int) ledger.NodeID { return ledger.NodeID(fmt.Sprintf("node-%02d", i)) }

func account(i int) ledger.AccountKey {
	return ledger.AccountKey{Budget: "per-customer", Split: ledger.Split(fmt.Sprintf("customer-%08d", i))}
}

// fill makes n accounts, account i with a lease of node i % holders.
func (c *crowd) fill(t *testing.T, n int) {
	c.propose(t, perCustomer(100*ledger.NanoPerUSD))
	for h := range holders {
		c.propose(t, ledger.Register{Node: holder(h), Store: ledger.StoreID{byte(h)}})
		var rows []ledger.Row
		for i := h; i < n; i += holders {
			rows = append(rows, ledger.Row{Account: account(i), Want: ledger.NanoPerUSD, Rate: 1})
			if len(rows) == 1024 || i+holders >= n {
				c.exchange(t, h, rows)
				rows = nil
			}
		}
	}
}

func (c *crowd) exchange(t *testing.T, h int, rows []ledger.Row) {
	c.seqs[h]++
	c.propose(t, &ledger.Exchange{Node: holder(h), Incarnation: 1, Seq: c.seqs[h], Rows: rows})
}

// spend reports a little more spending in 64 accounts of one node, spread over
// all it has.
func (c *crowd) spend(t *testing.T, round, n int) {
	h := round % holders
	rows := make([]ledger.Row, 0, 64)
	for k := range 64 {
		i := (k*n/64+round*7919)%(n-holders)/holders*holders + h
		if _, twice := find(rows, account(i)); twice {
			continue
		}
		c.spent[i]++
		rows = append(rows, ledger.Row{Account: account(i), Spent: c.spent[i], Rate: 1})
	}
	c.exchange(t, h, rows)
}

func find(rows []ledger.Row, k ledger.AccountKey) (int, bool) {
	for i := range rows {
		if rows[i].Account == k {
			return i, true
		}
	}
	return 0, false
}

// TestMillion: the ledger with -accounts accounts is snapshotted while entries
// go on, restarted from its snapshot and log, and is the same. It prints what
// that takes; the times are figures, not conditions.
func TestMillion(t *testing.T) {
	n := *accounts
	dir := t.TempDir()
	empty := liveHeap()
	c := openCrowd(t, dir)
	c.fill(t, n)
	_, longest := c.timed.since()
	heap := liveHeap() - empty
	t.Logf("%d accounts, %d leases; %d MB of heap, %d bytes an account; longest Apply while filling %v (1024 rows)",
		n, n, heap>>20, heap/uint64(n), longest)

	done := make(chan error, 1)
	begin := time.Now()
	go func() { done <- c.node.Snapshot() }()
	var took time.Duration
	for round := 0; took == 0; round++ {
		c.spend(t, round, n)
		select {
		case err := <-done:
			if took = time.Since(begin); err != nil {
				t.Fatal(err)
			}
		default:
		}
	}
	applies, longest := c.timed.since()
	t.Logf("snapshot: %.2f s, %d MB; meanwhile %d entries of 64 rows, longest Apply %v",
		took.Seconds(), snapshotBytes(t, dir)>>20, applies, longest)

	c.propose(t, perCustomer(50*ledger.NanoPerUSD))
	_, longest = c.timed.since()
	t.Logf("change of the limit of all accounts: Apply %v", longest)

	want := c.fsm.Digests()
	if err := c.end(); err != nil {
		t.Fatal(err)
	}
	c = nil
	runtime.GC()
	begin = time.Now()
	c = openCrowd(t, dir)
	took = time.Since(begin)
	if got := c.fsm.Digests(); got != want {
		t.Fatalf("a restart came to another state at entry %d than was left at %d", got.Index, want.Index)
	}
	t.Logf("restart from snapshot and log, until ready: %.2f s; most memory of the process so far %s", took.Seconds(), peakMemory())
	if err := c.end(); err != nil {
		t.Fatal(err)
	}
}

func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func snapshotBytes(t *testing.T, dir string) (size int64) {
	err := filepath.WalkDir(filepath.Join(dir, "snapshots"), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return size
}

// peakMemory is the most this process has had resident, as Linux tells.
func peakMemory() string {
	b, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(b)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
