package cluster

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"purser/cluster"
	"purser/jepsen-style-tests/check"
	"purser/ledger"
)

var (
	seedFlag    = flag.Uint64("seed", 0, "seed of the first run of TestRandomFaults; 0 draws one")
	runsFlag    = flag.Int("runs", 1, "runs of TestRandomFaults")
	timeFlag    = flag.Duration("time", 7*time.Second, "how long the faults of a run go on")
	nodesFlag   = flag.Int("nodes", 3, "nodes of a run")
	clientsFlag = flag.Int("clients", 12, "clients of a run")
	lanFlag     = flag.Bool("lan", false, "Raft's timing of a LAN, as in production, instead of a quicker one")
	nodelog     = flag.Bool("nodelog", false, "show what the nodes log")
)

const (
	hot  ledger.BudgetID = "hot"  // one account, never ends
	each ledger.BudgetID = "each" // one account a customer and minute
)

// town is the budgets of a run: in some runs they last, in others they are at their
// end while the faults go on.
func town(rng *rand.Rand) []ledger.Budget {
	lasting := func(low, high ledger.Amount) ledger.Amount {
		return []ledger.Amount{low, high}[rng.IntN(2)]
	}
	return []ledger.Budget{
		{ID: hot, Unit: ledger.USD, Limit: lasting(6_000, 100_000), Window: ledger.Window{Kind: ledger.Total}},
		{ID: each, Unit: ledger.USD, Limit: lasting(1_000, 50_000), Window: ledger.Window{Kind: ledger.PerMinute}, Each: []ledger.DimRef{{Dim: ledger.DimCustomer}}},
	}
}

var hotKey = ledger.AccountKey{Budget: hot}

// TestRandomFaults is clients at all nodes while a nemesis kills nodes, cuts and
// holds their links, moves leadership and changes limits. Then everything is
// healed, the budget is spent to its end, every node returns what it holds, and all
// checkers have their say.
func TestRandomFaults(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64N(1_000_000) + 1
	}
	for range *runsFlag {
		if randomFaults(t, seed); t.Failed() {
			return
		}
		seed++
	}
}

func randomFaults(t *testing.T, seed uint64) {
	again := fmt.Sprintf("go test ./jepsen-style-tests/cluster -count 1 -v -run '^TestRandomFaults$' -seed %d -time %v -nodes %d -clients %d -lan=%v", seed, *timeFlag, *nodesFlag, *clientsFlag, *lanFlag)
	t.Logf("seed %d; to repeat: %s", seed, again)
	n := &nemesis{rng: rand.New(rand.NewPCG(seed, 1)), struck: map[string]int{}}
	w := newWorld(t, seed, *nodesFlag, town(n.rng), func(w *world) {
		if *lanFlag {
			w.timing = cluster.LAN()
		}
		// A minute ends while the faults go on.
		w.ahead = time.Until(time.Now().Truncate(time.Minute).Add(2*time.Minute)) - min(*timeFlag/2, 30*time.Second)
	})
	n.w = w
	ctx, cancel := context.WithTimeout(t.Context(), *timeFlag)
	defer cancel()
	var busy sync.WaitGroup
	for i := range *clientsFlag {
		busy.Go(func() {
			w.client(ctx, i, load{
				customers: []string{"", "a", "b", "c"}, most: 40, think: 20 * time.Millisecond, call: 10 * time.Millisecond, nodes: w.members,
			})
		})
	}
	for s := range 2 {
		busy.Go(func() { w.reader(ctx, s, 20*time.Millisecond) })
	}
	n.rage(ctx)
	busy.Wait()
	w.aside.Wait()
	w.mesh.Heal()
	for _, m := range w.members {
		m.revive()
		w.ready(m)
	}
	w.exhaust()
	took, ends := w.settle()
	wrong := w.verdict(ends)
	w.report(n, took, ends, wrong, again)
	if w.counts.admitted == 0 || len(n.struck) == 0 {
		t.Error("nothing happened")
	}
}

// exhaust spends the hot budget to its end, through all nodes.
func (w *world) exhaust() {
	rng := rand.New(rand.NewPCG(w.seed, 2))
	for _, hold := range []ledger.Amount{2000, 200, 20, 1} {
		for _, m := range w.members {
			w.eventually("the budget to be spent", func() bool {
				return w.request(w.t.Context(), m, order{hold: hold, cost: hold}, rng) == refused
			})
		}
	}
}

// report prints what a run was, and what was wrong with it.
func (w *world) report(n *nemesis, drained time.Duration, ends []ledger.AccountView, wrong []string, again string) {
	w.t.Helper()
	entries := w.applied.Entries()
	terms := map[uint64]bool{}
	for _, e := range entries {
		terms[e.Term] = true
	}
	contended := 0
	for _, r := range w.refusals {
		if !r.Exhausted {
			contended++
		}
	}
	w.t.Logf("requests: %d admitted, %d refused (%d contended), %d undecided, %d found their node down, %d died with it; %d rows billed, %d reads, %d commands, %d log entries",
		w.counts.admitted, w.counts.refused, contended, w.counts.undecided, w.counts.down, w.counts.broken, len(w.bill), len(w.reads), len(w.ops.All()), len(entries))
	w.t.Logf("faults: %selections: %d", n.summary(), len(terms)-1)
	recoveries := check.Recoveries(w.lost, entries)
	slices.Sort(recoveries)
	if k := len(recoveries); k > 0 {
		w.t.Logf("C10: %d leaders lost; the next entry was committed after %v (median), %v (longest)", len(w.lost), recoveries[(k-1)/2].Round(time.Millisecond), recoveries[k-1].Round(time.Millisecond))
	}
	var billed ledger.Amount
	for _, r := range w.bill {
		if r.Account == hotKey {
			billed += r.Cost
		}
	}
	for _, a := range ends {
		if a.Key == hotKey {
			w.t.Logf("utilisation: of the cap of %d %.4f was billed, %.4f is presumed, %.4f written off, %d left; returned and added up in %v (C8)",
				a.Limit, share(billed, a.Limit), share(a.Presumed, a.Limit), share(a.WrittenOff, a.Limit), a.Available, drained.Round(time.Millisecond))
		}
	}
	w.t.Logf("violations: %d", len(wrong))
	const most = 20
	for _, problem := range wrong[:min(len(wrong), most)] {
		w.t.Errorf("%s\nseed %d; to repeat: %s", problem, w.seed, again)
	}
}

func share(part, whole ledger.Amount) float64 { return float64(part) / float64(whole) }
