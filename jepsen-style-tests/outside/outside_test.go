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
	"purser/jepsen-style-tests/outside/report"
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
	outFlag      = flag.String("out", "", "directory that gathers the summaries of runs, for the tally")
	revisionFlag = flag.String("revision", "", "commit or tag that the nodes are built from, in place of the tree")
	listFlag     = flag.Bool("list", false, "print the table of the faults")
)

// TestFaults is runs of clients, administrators and faults on real processes.
func TestFaults(t *testing.T) {
	if *listFlag {
		fmt.Print(nemesis.Markdown())
		return
	}
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64N(1_000_000) + 1
	}
	for range *runsFlag {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { oneRun(t, seed) })
		seed++
	}
}

func oneRun(t *testing.T, seed uint64) {
	o := Options{
		Seed: seed, Nodes: *nodesFlag, Time: *timeFlag, Pace: *paceFlag, AtOnce: *atOnceFlag, Nemesis: *nemesisFlag, Workload: *workloadFlag,
		Rate: *rateFlag, Trace: *traceFlag, Revision: *revisionFlag, Mode: mode(), Builds: builder(t), Dir: t.TempDir(), Log: t.Logf,
		Again: again(fmt.Sprintf("make jepsen SEED=%d RUNS=1 TIME=%v NODES=%d PACE=%v ATONCE=%d RATE=%v", seed, *timeFlag, *nodesFlag, *paceFlag, *atOnceFlag, *rateFlag)),
	}
	t.Logf("seed %d; to repeat: %s", seed, o.Again)
	r, err := Run(t.Context(), o)
	if err != nil {
		keep(t, o.Dir, seed)
		t.Fatalf("seed %d: the harness failed: %v", seed, err)
	}
	summary, err := report.Write(o.Dir, r.History, r.End, r.Findings)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(summary.Text())
	for _, f := range r.Findings {
		t.Errorf("seed %d: %s: %s", seed, f.Checker, f.What)
	}
	for _, why := range summary.Invalid {
		t.Errorf("seed %d: the run is not fit to be judged: %s", seed, why)
	}
	switch {
	case *outFlag != "":
		file(t, filepath.Join(o.Dir, report.SummaryFile), filepath.Join(*outFlag, fmt.Sprintf("%d-%d.json", r.History.Meta.Began.Unix(), seed)))
		if t.Failed() {
			keep(t, o.Dir, seed)
		}
	case t.Failed():
		keep(t, o.Dir, seed)
	}
}

// again is the command of make with what else was asked for.
func again(command string) string {
	for _, v := range []struct{ name, value string }{
		{"NEMESIS", *nemesisFlag}, {"WORKLOAD", *workloadFlag}, {"TRACE", *traceFlag}, {"REVISION", *revisionFlag},
	} {
		if v.value != "" {
			command += fmt.Sprintf(" %s=%q", v.name, v.value)
		}
	}
	if *loopbackFlag {
		command += " LOOPBACK=true"
	}
	return command
}

func mode() netlab.Mode {
	if *loopbackFlag {
		return netlab.Loopback
	}
	return netlab.Auto
}

// file copies a summary to where many are gathered.
func file(t *testing.T, from, to string) {
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o700)
	}
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Error(err)
	}
}

func builder(t *testing.T) *builds.Builder {
	// A user's own, so that none runs what another built.
	return builds.New(filepath.Join("..", ".."), filepath.Join(os.TempDir(), fmt.Sprintf("purser-builds-%d", os.Getuid())))
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
