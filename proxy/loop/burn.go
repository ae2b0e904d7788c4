package loop

import "purser/ledger"

// Spans of the burn.
const (
	burnSlot     = 15 * ledger.Second
	burnSlots    = 4 // the minute that is compared
	burnHistory  = 5 * ledger.Minute
	burnRequests = 10 // before that minute
)

// burn is what a subject has cost, and when.
type burn struct {
	first    ledger.Instant // cost
	slot     int64          // of the latest cost: its time in units of burnSlot
	slots    [burnSlots]ledger.Amount
	counts   [burnSlots]int64
	before   ledger.Amount // what the slots do not have any more
	requests int64         // the same
}

// add takes a cost at a moment.
func (b *burn) add(cost ledger.Amount, at ledger.Instant) {
	if b.first == 0 {
		b.first = at
	}
	b.pass(at)
	b.slots[b.slot%burnSlots] += min(cost, ledger.MaxAmount/(1<<16))
	b.counts[b.slot%burnSlots]++
}

// pass lets slots go that are over.
func (b *burn) pass(at ledger.Instant) {
	now := int64(at / burnSlot)
	if b.slot == 0 {
		b.slot = now
	}
	for ; b.slot < now; b.slot++ {
		i := (b.slot + 1) % burnSlots
		if b.requests += b.counts[i]; b.before < ledger.MaxAmount/2 {
			b.before += b.slots[i]
		}
		b.slots[i], b.counts[i] = 0, 0
		if now-b.slot > burnSlots {
			b.slot = now - burnSlots // the rest is empty
		}
	}
}

// times is how many times the latest minute costs what the minutes before did on
// average, 0 where too little came before.
func (b *burn) times(at ledger.Instant) (times int64, minute ledger.Amount) {
	b.pass(at)
	for _, x := range b.slots {
		minute += x
	}
	earlier := at - burnSlots*burnSlot - b.first
	if b.first == 0 || earlier < burnHistory || b.requests < burnRequests || b.before <= 0 {
		return 0, minute
	}
	average := max(b.before/ledger.Amount(max(earlier/ledger.Minute, 1)), 1)
	return int64(minute / average), minute
}
