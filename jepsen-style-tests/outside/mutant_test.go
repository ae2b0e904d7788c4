package outside

import (
	"flag"
	"strings"
	"testing"
	"time"

	"purser/jepsen-style-tests/builds"
)

var mutantFlag = flag.String("mutant", "", "name of the known bug of TestMutant, of jepsen-style-tests/builds")

// TestMutant puts a known bug back and passes when a checker finds it, under the faults
// that show it. Its control is every run of TestFaults.
func TestMutant(t *testing.T) {
	if *mutantFlag == "" {
		t.Skip("for tools/mutants -process, which names the bug: -mutant NAME")
	}
	var m *builds.Mutation
	for i := range builds.Mutations {
		if builds.Mutations[i].Name == *mutantFlag {
			m = &builds.Mutations[i]
		}
	}
	if m == nil {
		t.Fatalf("there is no known bug %q", *mutantFlag)
	}
	const tries = 4
	for i := range uint64(tries) {
		seed := max(1, *seedFlag) + i
		r, err := Run(t.Context(), Options{
			Seed: seed, Nodes: *nodesFlag, Time: 45 * time.Second, Pace: 1500 * time.Millisecond, AtOnce: *atOnceFlag, Nemesis: strings.Join(m.Faults, ","),
			Rate: *rateFlag, Mutation: m, Builds: builder(t), Dir: t.TempDir(), Again: "go run ./tools/mutants -process -run '^" + m.Name + "$'", Log: t.Logf,
		})
		if err != nil {
			t.Fatalf("seed %d: the harness failed: %v", seed, err)
		}
		if len(r.Findings) > 0 {
			f := r.Findings[0]
			t.Logf("caught by %s at seed %d: %s", f.Checker, seed, f.What)
			return
		}
	}
	t.Errorf("%s: nothing was found in %d runs", m.Name, tries)
}
