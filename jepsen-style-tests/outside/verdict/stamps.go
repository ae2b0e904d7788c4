package verdict

import (
	"math"
	"strings"
	"time"

	"purser/jepsen-style-tests/outside/history"
)

// aheadWithin is how far ledger time may come to be ahead of true time where one clock
// is wrong: by what a leader's clock may be from the middle of the others' (2 s), by what
// stamps may run ahead in one go (1 s) and, while a clock swings, in each second. A jump
// that is believed is one of minutes.
const aheadWithin = 30 * time.Second

// stamped judges ledger time by the harness's: no wrong clock becomes that of the
// ledger, as long as it is the only one and all nodes are there to compare theirs. From
// the first time on that they are not, nothing is said: ledger time never runs back.
func stamped(b *book) (found []Finding) {
	until := b.clocksSure()
	said := map[string]bool{}
	for i := range b.h.Samples {
		s := &b.h.Samples[i]
		ahead := time.Duration(s.LedgerTime - s.At)
		if s.Down || s.LedgerTime == 0 || s.Generation > 0 || s.At >= until || ahead <= aheadWithin || said[s.Node] {
			continue
		}
		said[s.Node] = true
		found = append(found, finding("time", s.At, "ledger time is ahead by %v, as %s says", ahead.Round(time.Second), s.Node))
	}
	return found
}

// clocksSure is until when at most one clock was wrong at a time, with all nodes there
// and in reach of each other.
func (b *book) clocksSure() int64 {
	until := int64(math.MaxInt64)
	for i := range b.faults {
		x := &b.faults[i]
		if x.Class != "clock" {
			continue
		}
		if x.Name == "clock-restart" || x.Name == "clock-days-ahead" {
			until = min(until, x.Begun) // the node is away, too
		}
		for j := range b.faults {
			o := &b.faults[j]
			if i == j || !absents(o) || o.Begun > x.Ended+int64(healed) || o.Ended+int64(healed) < x.Begun {
				continue
			}
			until = min(until, max(x.Begun, o.Begun))
		}
	}
	return until
}

// absents says of a fault that it takes a node from the others, or makes its clock wrong.
func absents(f *history.Fault) bool {
	switch f.Class {
	case "provider", "client":
		return false
	case "budget":
		return f.Name == "fence"
	case "raft":
		return !strings.HasPrefix(f.Name, "transfer")
	default:
		return true
	}
}
