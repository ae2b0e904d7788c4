package verdict

import (
	"cmp"
	"slices"
	"sort"
	"strings"
	"time"

	"purser/jepsen-style-tests/outside/history"
)

// Quiet is the class of times without a fault, and without one shortly before.
const Quiet = "none"

// Figures are what a run showed that is neither right nor wrong. Those of several runs
// can be added up.
type Figures struct {
	Admitted     map[string]Share   // by the class of the only faults under way, or Quiet
	Recovery     map[string][]int64 // by class: nanoseconds from a heal until every node that is up decided again, nothing else being wrong
	Committed    []int64            // nanoseconds from the loss of a leader until a change or linearizable read that was asked for afterwards was answered
	WithoutLead  []int64            // the same, until a node that was not hit decided a request that came afterwards
	Kinds        map[string]int64   // requests by how they ended
	Rows         int64
	Billed       int64 // nano-dollars
	Unrecorded   int64 // of these, of calls without a usage record
	Recorded     int64 // by records
	Replayed     int64 // answers that idempotency keys had given again
	Incarnations int   // of all nodes, that were seen
	Terms        uint64
}

// Share is how many requests the cluster decided and ran, of those that it could have.
// Refusals by budgets, bad requests and clients that left are not among them.
type Share struct {
	Warm, WarmAdmitted int64 // at nodes that were up and not the faults' targets
	All, AllAdmitted   int64
}

// Add adds the share of another run.
func (s *Share) Add(o Share) {
	s.Warm, s.WarmAdmitted = s.Warm+o.Warm, s.WarmAdmitted+o.WarmAdmitted
	s.All, s.AllAdmitted = s.All+o.All, s.AllAdmitted+o.AllAdmitted
}

// Measure takes the figures of a run.
func Measure(h *history.History, end *history.End) *Figures {
	b := newBook(h, end)
	f := &Figures{Admitted: map[string]Share{}, Recovery: map[string][]int64{}, Kinds: map[string]int64{}, Rows: int64(len(b.rows))}
	for i := range b.rows {
		f.Billed += int64(b.rows[i].Cost)
		if len(b.rows[i].records) == 0 {
			f.Unrecorded += int64(b.rows[i].Cost)
		}
	}
	for i := range end.Records {
		f.Recorded += end.Records[i].Cost
	}
	down := b.downs()
	for i := range h.Requests {
		r := &h.Requests[i]
		f.Kinds[KindOf(r).String()]++
		if r.Replayed {
			f.Replayed++
		}
		b.share(f, r, down)
	}
	b.recoveries(f)
	type life struct {
		is          string
		incarnation uint32
	}
	lives := map[life]bool{}
	for i := range h.Samples {
		s := &h.Samples[i]
		f.Terms = max(f.Terms, s.Term)
		if s.Incarnation > 0 {
			lives[life{s.Is, s.Incarnation}] = true
		}
	}
	f.Incarnations = len(lives)
	return f
}

// aftermath is how long after a fault what comes is not laid to the next one.
const aftermath = 5 * time.Second

// share counts one request where only faults of one class were under way.
func (b *book) share(f *Figures, r *history.Request, down map[string][]mark) {
	k := KindOf(r)
	if k != Admitted && k != Undecided && k != Lost || k == Lost && r.Mode != "" {
		return
	}
	class, warm, after := Quiet, !isDown(down[r.Node], r.Begun), false
	for i := range b.faults {
		x := &b.faults[i]
		if x.Begun > r.Ended {
			break
		}
		if x.Ended < r.Begun {
			after = after || r.Begun-x.Ended < int64(aftermath)
			continue
		}
		if class != Quiet && class != x.Class {
			return
		}
		class = x.Class
		warm = warm && !slices.Contains(x.Targets, r.Node)
	}
	if after || class == Quiet && b.near(r.Begun, r.Ended, healed) {
		return // what comes after a fault is told as recovery
	}
	one := Share{All: 1}
	if k == Admitted {
		one.AllAdmitted = 1
	}
	if warm {
		one.Warm, one.WarmAdmitted = one.All, one.AllAdmitted
	}
	s := f.Admitted[class]
	s.Add(one)
	f.Admitted[class] = s
}

// mark is that a node was seen to be down, or up, from a time on.
type mark struct {
	at   int64
	down bool
}

// downs are by place when nodes were seen to be down.
func (b *book) downs() map[string][]mark {
	out := map[string][]mark{}
	for i := range b.h.Samples {
		s := &b.h.Samples[i]
		out[s.Node] = append(out[s.Node], mark{s.At, s.Down || s.State != "ready"})
	}
	return out
}

func isDown(list []mark, at int64) bool {
	i := sort.Search(len(list), func(i int) bool { return list[i].at > at })
	return i > 0 && list[i-1].down
}

// answered are the times of what was decided, by when it was asked.
type answered struct{ begun, ended int64 }

// next is how long after a time the first answer came to something asked since.
func next(list []answered, since int64) (took int64, ok bool) {
	i := sort.Search(len(list), func(i int) bool { return list[i].begun >= since })
	first := never
	for ; i < len(list) && list[i].begun < first; i++ {
		first = min(first, list[i].ended)
	}
	return first - since, first < never
}

// recoveries is C10.
func (b *book) recoveries(f *Figures) {
	decided := map[string][]answered{}
	for i := range b.h.Requests {
		if r := &b.h.Requests[i]; KindOf(r) == Admitted || KindOf(r) == Refused {
			decided[r.Node] = append(decided[r.Node], answered{r.Begun, r.Ended})
		}
	}
	changed := map[string][]answered{}
	for i := range b.h.Changes {
		if c := &b.h.Changes[i]; c.OK {
			changed[c.Node] = append(changed[c.Node], answered{c.Begun, c.Ended})
		}
	}
	for _, lists := range []map[string][]answered{decided, changed} {
		for _, list := range lists {
			slices.SortFunc(list, func(x, y answered) int { return cmp.Compare(x.begun, y.begun) })
		}
	}
	for i := range b.faults {
		x := &b.faults[i]
		if !x.Bit {
			continue
		}
		if took, ok := b.recovery(x, decided); ok {
			f.Recovery[x.Class] = append(f.Recovery[x.Class], took)
		}
		if !b.hitTheLeader(x) {
			continue
		}
		if took, ok := without(x, changed); ok {
			f.Committed = append(f.Committed, took)
		}
		if took, ok := without(x, decided); ok {
			f.WithoutLead = append(f.WithoutLead, took)
		}
	}
}

// recovery is how long after a heal every place had decided something that was asked
// since. It counts where no other fault was under way.
func (b *book) recovery(x *history.Fault, decided map[string][]answered) (took int64, ok bool) {
	if len(decided) < b.h.Meta.Nodes {
		return 0, false
	}
	for _, list := range decided {
		one, there := next(list, x.Ended)
		if !there {
			return 0, false // the run was over
		}
		took = max(took, one)
	}
	alone := !b.nearBy(x.Ended, x.Ended+took, 0, func(o *history.Fault) bool { return o.Seq != x.Seq })
	return took, alone
}

// hitTheLeader says whether a fault took the leader away, as it was last seen.
func (b *book) hitTheLeader(x *history.Fault) bool {
	switch x.Class {
	case "process", "pause", "network":
	default:
		return false
	}
	leader, term := "", uint64(0)
	for i := range b.h.Samples {
		if s := &b.h.Samples[i]; s.At <= x.Begun && strings.EqualFold(s.Role, "leader") && s.Term >= term {
			leader, term = s.Node, s.Term
		}
	}
	return leader != "" && slices.Contains(x.Targets, leader)
}

// without is how long after the beginning of a fault a node that it does not hit gave
// an answer to something that was asked since.
func without(x *history.Fault, lists map[string][]answered) (took int64, ok bool) {
	took = never
	for place, list := range lists {
		if slices.Contains(x.Targets, place) {
			continue
		}
		if one, there := next(list, x.Begun); there {
			took, ok = min(took, one), true
		}
	}
	return took, ok
}
