package purse

import (
	"math/bits"

	"purser/ledger"
)

// scale is x * num / den for non-negative x and num and positive den, rounded
// down and capped at MaxAmount. It serves estimates only; money is never scaled.
func scale(x ledger.Amount, num, den int64) ledger.Amount {
	if x <= 0 || num <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(x), uint64(num))
	if hi >= uint64(den) {
		return ledger.MaxAmount
	}
	q, _ := bits.Div64(hi, lo, uint64(den))
	return ledger.Amount(min(q, uint64(ledger.MaxAmount)))
}

// latencies keeps the last durations of Exchanges.
type latencies struct {
	ring [64]int64
	n    int
}

// A refill is assumed to take at least one synced log entry, and at most so
// long that one outage does not make every account ask for a fortune.
const (
	leastRefill = 5_000_000
	mostRefill  = 1_000_000_000
)

func (l *latencies) add(nanos int64) {
	l.ring[l.n%len(l.ring)] = nanos
	l.n++
}

// p99 is the second largest: one in 64 lies beyond it.
func (l *latencies) p99() int64 {
	var first, second int64
	for _, v := range l.ring {
		if v > first {
			first, second = v, first
		} else if v > second {
			second = v
		}
	}
	return min(max(second, leastRefill), mostRefill)
}
