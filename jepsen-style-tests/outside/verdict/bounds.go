package verdict

import (
	"maps"
	"slices"
	"strings"
	"time"

	"purser/jepsen-style-tests/outside/history"
)

// busy is what a machine that is shared with the harness may add.
const busy = 2 * time.Second

// apart judges nodes that are cut off: one that has heard none of the others for the time
// that it may go on (authority_ttl, docs/keys.md) runs no request any more.
func apart(b *book) (found []Finding) {
	for i := range b.faults {
		f := &b.faults[i]
		if f.Cut == 0 || len(f.Targets) != 1 {
			continue
		}
		from := f.Cut + int64(b.authority()+b.authority()/5+busy)
		for j := range b.h.Requests {
			r := &b.h.Requests[j]
			if r.Node == f.Targets[0] && r.Begun > from && r.Ended < f.Ended-int64(time.Second) && KindOf(r) == Admitted {
				found = append(found, finding("authority", r.Ended, "%s ran %s, %v after it was cut off from the others; it may go on for %v", r.Node, r.ID, time.Duration(r.Begun-f.Cut).Round(time.Millisecond), b.authority()))
			}
		}
	}
	return found
}

// forgotten judges nodes that die and start again: what is written off is what nobody can
// say of whether it was spent, and where no disk lost what it had acknowledged, its holder
// can.
func forgotten(b *book) (found []Finding) {
	died := slices.ContainsFunc(b.faults, func(f history.Fault) bool { return f.Class == "process" || f.Class == "disk" })
	if !died || b.lostAny() || b.restored {
		return nil
	}
	for _, k := range slices.SortedFunc(maps.Keys(b.accounts), func(x, y key) int { return strings.Compare(x.label(), y.label()) }) {
		if a := b.accounts[k]; a.writtenOff > 0 {
			found = append(found, finding("disk", 0, "%s: %d was written off, and no disk lost what it had acknowledged", k.label(), a.writtenOff))
		}
	}
	return found
}

// begunWell is how long before a node is told to end a request has to have begun, for it
// to have been there.
const begunWell = 300 * time.Millisecond

// finished judges orderly stops: a request that is under way when a node is told to end
// has its whole answer, where nothing else breaks it off.
func finished(b *book) (found []Finding) {
	for i := range b.faults {
		for _, stop := range b.faults[i].Stops {
			if b.nearBy(stop.From, stop.To, healed, func(f *history.Fault) bool { return !orderly(f) }) {
				continue
			}
			for j := range b.h.Requests {
				r := &b.h.Requests[j]
				there := r.Node == stop.Node && r.Begun <= stop.From-int64(begunWell) && r.Ended > stop.From && r.Ended <= stop.To+int64(time.Second)
				if !there || KindOf(r) != Lost || r.Mode != "" && !strings.HasPrefix(r.Mode, "slow-chunks") {
					continue
				}
				found = append(found, finding("shutdown", r.Ended, "%s was under way at %s for %v when that was told to end, and was broken off: %s",
					r.ID, r.Node, time.Duration(stop.From-r.Begun).Round(time.Millisecond), r.Err))
			}
		}
	}
	return found
}

// orderly says of a fault that it only stops nodes in peace.
func orderly(f *history.Fault) bool { return f.Class == "upgrade" || f.Name == "restart" }
