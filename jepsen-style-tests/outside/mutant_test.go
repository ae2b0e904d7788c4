package outside

import (
	"flag"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"purser/jepsen-style-tests/builds"
	"purser/jepsen-style-tests/outside/nemesis"
)

var mutantFlag = flag.String("mutant", "", "name of the known bug of TestMutant, of jepsen-style-tests/builds")

// TestMutant puts a known bug back and passes when what ought to find it does, under the
// faults that show it. Its control is every run of TestFaults.
func TestMutant(t *testing.T) {
	if *mutantFlag == "" {
		t.Skip("for tools/mutants -process, which names the bug: -mutant NAME")
	}
	i := slices.IndexFunc(builds.Mutations, func(m builds.Mutation) bool { return m.Name == *mutantFlag })
	if i < 0 {
		t.Fatalf("there is no known bug %q", *mutantFlag)
	}
	m := &builds.Mutations[i]
	finds := regexp.MustCompile(m.Finds)
	const tries = 4
	for i := range uint64(tries) {
		seed := max(1, *seedFlag) + i
		r, err := Run(t.Context(), Options{
			Seed: seed, Nodes: *nodesFlag, Time: 30 * time.Second, Pace: 1500 * time.Millisecond, AtOnce: *atOnceFlag, Nemesis: strings.Join(m.Faults, ","),
			Rate: *rateFlag, Mutation: m, Builds: builder(t), Dir: t.TempDir(), Again: "go run ./tools/mutants -process -run '^" + m.Name + "$'", Log: t.Logf,
		})
		if err != nil {
			t.Fatalf("seed %d: the harness failed: %v", seed, err)
		}
		for _, f := range r.Findings {
			if finds.MatchString(f.Checker + ": " + f.What) {
				t.Logf("caught by %s at try %d: %s", f.Checker, i+1, f.What)
				return
			}
		}
		for _, f := range r.Findings[:min(5, len(r.Findings))] {
			t.Logf("seed %d: something else was found: %s: %s", seed, f.Checker, f.What)
		}
	}
	t.Errorf("%s: what ought to find it found nothing in %d runs", m.Name, tries)
}

func TestEveryMutationNamesFaults(t *testing.T) {
	for _, m := range builds.Mutations {
		if _, err := nemesis.Choose(nemesis.Table(), strings.Join(m.Faults, ",")); err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
	}
}
