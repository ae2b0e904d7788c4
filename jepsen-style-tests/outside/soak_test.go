package outside

import (
	"flag"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"purser/jepsen-style-tests/outside/report"
)

var soakFlag = flag.Duration("soak", 0, "length of TestSoak")

// soakFaults end no process, so that what each uses can be watched for hours.
const soakFaults = "network,provider,transfer,transfer-storm,client-retries,client-disconnects,client-slow,client-garbage,cap-raise,cap-lower,key-rotate,pause-follower,pause-stutter"

// Limits of what a node's use may grow by in an hour, once it has warmed up.
const (
	soakRSS        = 16 << 20 // bytes
	soakGoroutines = 12
	soakFDs        = 12
)

// TestSoak is a long run whose faults end no process. Beside what every run is judged by,
// the memory, goroutines and files of each node must stay as they were.
func TestSoak(t *testing.T) {
	if *soakFlag == 0 {
		t.Skip("it takes hours, and -soak says how many: make soak")
	}
	seed := max(1, *seedFlag)
	o := Options{
		Seed: seed * 4, Nodes: *nodesFlag, Time: *soakFlag, Pace: 20 * time.Second, AtOnce: 1, Nemesis: soakFaults,
		Rate: *rateFlag, Mode: mode(), Builds: builder(t), Dir: t.TempDir(), Log: t.Logf,
		Again: again(fmt.Sprintf("make soak SEED=%d SOAK=%v NODES=%d RATE=%v", seed, *soakFlag, *nodesFlag, *rateFlag)),
	}
	r, err := Run(t.Context(), o)
	if err != nil {
		keep(t, o.Dir, seed)
		t.Fatalf("the harness failed: %v", err)
	}
	summary, err := report.Write(o.Dir, r.History, r.End, r.Findings)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(summary.Text())
	for _, f := range r.Findings {
		t.Errorf("%s: %s", f.Checker, f.What)
	}
	for _, why := range summary.Invalid {
		t.Errorf("the run is not fit to be judged: %s", why)
	}
	for _, s := range summary.Slopes {
		t.Logf("%s: memory %+.0f bytes an hour, %+.2f goroutines, %+.2f files", s.Node, s.RSS, s.Goroutines, s.FDs)
		if s.RSS > soakRSS || s.Goroutines > soakGoroutines || s.FDs > soakFDs {
			t.Errorf("%s uses more and more: %+v", s.Node, s)
		}
	}
	if *outFlag != "" {
		file(t, filepath.Join(o.Dir, report.SummaryFile), filepath.Join(*outFlag, fmt.Sprintf("soak-%d-%d.json", r.History.Meta.Began.Unix(), seed)))
	}
	if t.Failed() {
		keep(t, o.Dir, seed)
	}
}
