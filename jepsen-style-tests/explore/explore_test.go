package explore

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

var deepFlag = flag.Bool("deep", false, "explore within the larger bounds, and drain every world instead of those without a successor")

// forms are the worlds that are explored: each is complete within its bounds.
var forms = []struct {
	name        string
	short, deep bounds
}{
	{"crashes",
		bounds{requests: 3, crashes: 2},
		bounds{requests: 3, crashes: 2, fences: 1}},
	{"windows",
		bounds{requests: 2, crashes: 1, rolls: 1, fences: 1},
		bounds{requests: 2, crashes: 1, rolls: 2, fences: 1}},
	{"idleness",
		bounds{requests: 2, crashes: 1, fences: 1, waits: 1},
		bounds{requests: 2, crashes: 1, rolls: 1, waits: 1}},
	{"recalls",
		bounds{requests: 3, nudges: 1},
		bounds{requests: 3, crashes: 1, nudges: 1}},
	{"raises",
		bounds{requests: 2, rolls: 1, raises: 1},
		bounds{requests: 2, crashes: 1, rolls: 1, raises: 1}},
}

// TestExploration visits every world that can come about, within the bounds, in
// whatever order things happen.
func TestExploration(t *testing.T) {
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			switch x := newExplorer(); {
			case *deepFlag:
				x.run(t, f.deep)
			case raceEnabled:
				less := f.short // it is slow, and there is one goroutine
				less[requests]--
				x.run(t, less)
			default:
				x.run(t, f.short)
			}
		})
	}
}

// found is a world that was met, and how.
type found struct {
	from  int32
	event event
}

// search is where an exploration stands.
type search struct {
	*explorer
	t           *testing.T
	seen        map[world]struct{}
	trail       []found
	next        []world // met, and not visited
	at          int32   // the world being visited, in the trail
	transitions int
	ends        int // worlds without a successor
}

// most worlds are many more than the bounds allow, by experience: what gets there
// grows without end. A deep exploration may have as many as memory holds.
const most = 4_000_000

// run explores, nearest worlds first, until there is none left.
func (x *explorer) run(t *testing.T, bounds bounds) {
	began := time.Now()
	x.bounds = bounds
	s := &search{explorer: x, t: t, seen: map[world]struct{}{}}
	defer func() {
		if wrong := recover(); wrong != nil {
			s.tell(fmt.Sprint(wrong))
		}
	}()
	s.meet(none, event{}, x.first(bounds))
	depth := -1
	for len(s.next) > 0 {
		frontier := s.next
		s.next = nil
		depth++
		base := int32(len(s.trail) - len(frontier))
		for i, w := range frontier {
			s.at = base + int32(i)
			s.visit(w)
		}
	}
	if wrong := x.checkMerges(); wrong != "" {
		t.Error(wrong)
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	t.Logf("complete within %v: %d worlds, %d transitions, depth %d, %d worlds without a successor; %d states of the ledger, %d of a node, %d of these met in two ways and compared; %.1f s, %d MB",
		bounds, len(s.seen), s.transitions, depth, s.ends, len(x.ledgers.list), len(x.nodes.list), len(x.samples), time.Since(began).Seconds(), mem.Sys>>20)
}

// visit checks a world and meets those that may follow it. It panics with what
// is wrong.
func (s *search) visit(w world) {
	if wrong := s.check(w); wrong != "" {
		panic(wrong)
	}
	before := s.transitions
	s.each(w, func(e event, to world) {
		s.transitions++
		s.meet(s.at, e, to)
	})
	if s.transitions == before {
		s.ends++
	}
	if s.transitions == before || *deepFlag {
		if wrong := s.drain(w); wrong != "" {
			panic("healed and drained: " + wrong)
		}
	}
}

func (s *search) meet(from int32, e event, w world) {
	if _, ok := s.seen[w]; !ok {
		if len(s.seen) == most && !*deepFlag {
			panic(fmt.Sprintf("more than %d worlds: something grows without end", most))
		}
		s.seen[w] = struct{}{}
		s.trail = append(s.trail, found{from, e})
		s.next = append(s.next, w)
	}
}

// tell fails the test with the shortest way to what is wrong.
func (s *search) tell(wrong string) {
	s.t.Helper()
	var way []string
	if s.doing != "" {
		way = append(way, s.doing)
	}
	for at := s.at; at > 0; at = s.trail[at].from {
		way = append(way, s.trail[at].event.String())
	}
	var b strings.Builder
	for i := range way {
		fmt.Fprintf(&b, "\n%3d. %s", i+1, way[len(way)-1-i])
	}
	s.t.Errorf("%s\nafter%s\nto repeat: go test ./jepsen-style-tests/explore -run '%s'", wrong, b.String(), s.t.Name())
}

func (b bounds) String() string {
	return fmt.Sprintf("%d requests, %d crashes, %d rolls, %d fences, %d waits, %d nudges, %d raises", b[requests], b[crashes], b[rolls], b[fences], b[waits], b[nudges], b[raises])
}
