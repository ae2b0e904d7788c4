package verdict

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"purser/jepsen-style-tests/outside/history"
)

// Assume says why a run is not fit to be judged: it is neither good nor bad then.
func Assume(h *history.History, end *history.End) (why []string) {
	b := newBook(h, end)
	missing := func(format string, args ...any) { why = append(why, fmt.Sprintf(format, args...)) }
	const fewest = 50
	admitted := 0
	for i := range h.Requests {
		if KindOf(&h.Requests[i]) == Admitted {
			admitted++
		}
	}
	if admitted < fewest {
		missing("there was no load: %d requests were admitted, of %d", admitted, len(h.Requests))
	}
	if len(end.Rows) == 0 {
		missing("the bill is empty")
	}
	unknown := 0
	for i := range b.rows {
		r := &b.rows[i]
		if r.op == nil {
			if unknown++; unknown == 1 {
				missing("call %s of the bill is of %q, which no client asked for", r.Call, r.EndUser)
			}
			continue
		}
		// The row of a call that nobody waits for any more may come long after; none
		// comes before its request.
		const apart = 100 * time.Millisecond
		if r.at < r.op.begun-int64(apart) {
			missing("the clocks of harness and bill differ: call %s was billed %v before it was asked for", r.Call, time.Duration(r.op.begun-r.at))
			break
		}
	}
	if unknown > 1 {
		missing("and %d more", unknown-1)
	}
	if len(h.Meta.Budgets) == 0 {
		missing("nobody said which budgets there are")
	}
	samples := map[string]int{}
	for i := range h.Samples {
		if !h.Samples[i].Down {
			samples[h.Samples[i].Node]++
		}
	}
	for _, place := range places(h.Meta.Nodes) {
		if samples[place] == 0 {
			missing("%s was never seen to say how it is", place)
		}
	}
	if len(end.Nodes) < h.Meta.Nodes {
		missing("at the end only %v of %d nodes could be asked", slices.Sorted(maps.Keys(end.Nodes)), h.Meta.Nodes)
	}
	if len(end.Records) == 0 {
		missing("there are no usage records")
	}
	for _, lack := range end.Lacking {
		missing("usage records may be missing: %s", lack)
	}
	return append(why, toothless(b.faults)...)
}

// toothless says when the faults of a run were not seen to do anything. A single one
// that was not does not count, and does not spoil a run.
func toothless(faults []history.Fault) []string {
	if len(faults) == 0 {
		return nil // a run without faults is one, too
	}
	bit := 0
	for _, f := range faults {
		if f.Bit {
			bit++
		}
	}
	if bit*2 < len(faults) {
		return []string{fmt.Sprintf("of %d faults only %d were seen to bite", len(faults), bit)}
	}
	return nil
}
