package explore

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// found is a world that was met, and how.
type found struct {
	from  int32
	event event
}

// run explores every world that the bounds allow, nearest first.
func (x *explorer) run(t *testing.T, bounds bounds) {
	began := time.Now()
	x.bounds = bounds
	var trail []found
	seen := map[world]struct{}{}
	frontier := []world{}
	base := int32(0) // of the frontier in the trail
	at := none       // the world whose events are being tried
	var trying event
	defer func() {
		if wrong := recover(); wrong != nil {
			x.tell(t, trail, at, trying, fmt.Sprint(wrong))
		}
	}()
	first := x.first(bounds)
	seen[first] = struct{}{}
	trail = append(trail, found{from: none})
	frontier = append(frontier, first)
	transitions, depth, leaves := 0, 0, 0
	for ; len(frontier) > 0; depth++ {
		var next []world
		for i, w := range frontier {
			at = base + int32(i)
			trying = event{}
			leaf := true
			if wrong := x.check(w); wrong != "" {
				panic(wrong)
			}
			x.each(w, func(e event, to world) {
				trying = e
				transitions++
				leaf = false
				if _, ok := seen[to]; ok {
					return
				}
				seen[to] = struct{}{}
				trail = append(trail, found{at, e})
				next = append(next, to)
			})
			if leaf {
				leaves++
			}
			trying = event{}
			if wrong := x.drain(w); wrong != "" {
				panic("healed and drained: " + wrong)
			}
		}
		base += int32(len(frontier))
		frontier = next
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	t.Logf("%d worlds, %d transitions, depth %d, %d without a successor: complete within %v; %d states of the ledger, %d of a node; %.1f s, %d MB",
		len(seen), transitions, depth-1, leaves, bounds, len(x.ledgers.list), len(x.nodes.list), time.Since(began).Seconds(), mem.Sys>>20)
}

// tell fails the test with the shortest way to what is wrong.
func (x *explorer) tell(t *testing.T, trail []found, at int32, last event, wrong string) {
	t.Helper()
	var way []string
	if last.what != 0 {
		way = append(way, last.String())
	}
	for ; at > 0; at = trail[at].from {
		way = append(way, trail[at].event.String())
	}
	var b strings.Builder
	for i := len(way) - 1; i >= 0; i-- {
		fmt.Fprintf(&b, "\n%3d. %s", len(way)-i, way[i])
	}
	t.Errorf("%s\nafter%s\nto repeat: go test ./jepsen-style-tests/explore -run '%s'", wrong, b.String(), t.Name())
}

func TestExploration(t *testing.T) {
	newExplorer().run(t, bounds{requests: 2, crashes: 1, rolls: 0, fences: 0, waits: 1, nudges: 0})
}
