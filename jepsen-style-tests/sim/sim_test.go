package sim

import (
	"flag"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "run the simulation with this seed only")
	firstFlag = flag.Uint64("first", 0, "first seed of the simulation; 0 draws one")
	seedsFlag = flag.Int("seeds", 60, "how many seeds the simulation runs")
	stepsFlag = flag.Int("steps", 3000, "how many events each history has")
)

// eachSeed runs f with fresh seeds, or with the one of the flag, on all cores.
// The first failure ends it. It returns the first seed.
func eachSeed(t *testing.T, f func(seed uint64)) (first uint64) {
	first = *firstFlag
	count := *seedsFlag
	if first == 0 {
		first = uint64(time.Now().UnixNano())
	}
	if *seedFlag != 0 {
		first, count = *seedFlag, 1
	}
	var next atomic.Uint64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for !t.Failed() {
				i := next.Add(1) - 1
				if i >= uint64(count) {
					return
				}
				f(first + i)
			}
		})
	}
	workers.Wait()
	return first
}

// TestSimulation is the safety argument run at random: whatever is lost,
// repeated, late or crashed, the provider never bills beyond a cap, and every
// bill is spent, presumed or written off.
func TestSimulation(t *testing.T) {
	for _, nodes := range []int{1, 3} {
		t.Run(fmt.Sprint(nodes, "nodes"), func(t *testing.T) {
			var mu sync.Mutex
			var total counts
			first := eachSeed(t, func(seed uint64) {
				w := newWorld(t, seed, nodes, town())
				w.steady, w.clocks = seed%4 == 0, seed%3 == 0
				for range *stepsFlag {
					w.event()
					w.check()
				}
				w.settleAll()
				w.count.histories = 1
				mu.Lock()
				defer mu.Unlock()
				total.add(&w.count)
			})
			if t.Failed() {
				return // the violation, and how to repeat it, are told
			}
			t.Logf("seeds from %d: %d histories of %d events without a violation:%v", first, total.histories, *stepsFlag, &total)
			if *seedFlag != 0 || *seedsFlag*(*stepsFlag) < 60*3000 {
				return // too short to reach everything
			}
			total.each(func(name string, n *int) {
				if *n == 0 && (name != "fences" || nodes > 1) {
					t.Errorf("the simulation does not reach everything it should: no %s", name)
				}
			})
		})
	}
}
