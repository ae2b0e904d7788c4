package outside

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"purser/jepsen-style-tests/builds"
	"purser/jepsen-style-tests/netlab"
	"purser/jepsen-style-tests/outside/nemesis"
)

var (
	seedFlag     = flag.Uint64("seed", 0, "seed of the first run; 0 draws one")
	runsFlag     = flag.Int("runs", 1, "runs, each with the seed after that of the one before")
	timeFlag     = flag.Duration("time", 15*time.Second, "how long the faults of a run go on")
	nodesFlag    = flag.Int("nodes", 3, "nodes of a run")
	paceFlag     = flag.Duration("pace", 3*time.Second, "a fault begins about so often")
	atOnceFlag   = flag.Int("at-once", 2, "faults under way at a time")
	nemesisFlag  = flag.String("nemesis", "", "names and classes of faults, separated by commas; empty for all")
	workloadFlag = flag.String("workload", "", "names of workloads, separated by commas; empty for all")
	rateFlag     = flag.Float64("rate", 25, "requests a second at each node")
	traceFlag    = flag.String("trace", "", "file of recorded traffic to replay")
	loopbackFlag = flag.Bool("loopback", false, "the loopback device and a proxy for each link, also where network namespaces are allowed")
	outFlag      = flag.String("out", "", "directory that keeps what every run leaves; empty keeps that of failed runs, in _fail")
	listFlag     = flag.Bool("list", false, "list the faults")
)

// TestFaults is runs of clients, administrators and faults on real processes.
func TestFaults(t *testing.T) {
	if *listFlag {
		for _, f := range nemesis.Table() {
			fmt.Printf("%-10s %-24s %s\n", f.Class, f.Name, f.What)
		}
		return
	}
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64N(1_000_000) + 1
	}
	for range *runsFlag {
		oneRun(t, seed)
		seed++
	}
}

func oneRun(t *testing.T, seed uint64) {
	o := Options{
		Seed: seed, Nodes: *nodesFlag, Time: *timeFlag, Pace: *paceFlag, AtOnce: *atOnceFlag, Nemesis: *nemesisFlag, Workload: *workloadFlag,
		Rate: *rateFlag, Trace: *traceFlag, Builds: builder(t), Dir: t.TempDir(), Log: t.Logf,
		Again: fmt.Sprintf("make jepsen SEED=%d RUNS=1 TIME=%v NODES=%d PACE=%v ATONCE=%d RATE=%v NEMESIS=%q", seed, *timeFlag, *nodesFlag, *paceFlag, *atOnceFlag, *rateFlag, *nemesisFlag),
	}
	if *loopbackFlag {
		o.Mode = netlab.Loopback
	}
	t.Logf("seed %d; to repeat: %s", seed, o.Again)
	r, err := Run(t.Context(), o)
	if err != nil {
		keep(t, o.Dir, seed)
		t.Fatalf("seed %d: the harness failed: %v", seed, err)
	}
	for _, f := range r.Findings {
		t.Errorf("seed %d: %s: %s", seed, f.Checker, f.What)
	}
	if len(r.Findings) > 0 {
		keep(t, o.Dir, seed)
	}
}

func builder(t *testing.T) *builds.Builder {
	return builds.New(filepath.Join("..", ".."), filepath.Join(os.TempDir(), "purser-builds"))
}

// keep copies what a failed run left.
func keep(t *testing.T, dir string, seed uint64) {
	to := filepath.Join("..", "..", "_fail", fmt.Sprintf("outside-%d", seed))
	_ = os.RemoveAll(to)
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Logf("keeping what the run left: %v", err)
		return
	}
	t.Logf("what the run left is kept in %s", to)
}
