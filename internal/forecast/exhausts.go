package forecast

import (
	"math/bits"
	"slices"

	"purser/ledger"
)

// Exhausts is when an account has nothing left, if it goes on being spent so fast:
// false where that is not before its window ends. Raises that end meanwhile are
// reckoned with.
func Exhausts(v ledger.AccountView, raises []ledger.Raise, perHour ledger.Amount, now ledger.Instant) (ledger.Instant, bool) {
	gone := v.Spent + v.WrittenOff
	if gone >= v.Limit {
		return now, true
	}
	if perHour <= 0 {
		return 0, false
	}
	limit := v.Limit
	at := after(limit-gone, perHour, now)
	ending := slices.Clone(raises)
	slices.SortFunc(ending, func(a, b ledger.Raise) int { return int(min(max(a.Until-b.Until, -1), 1)) })
	for _, x := range ending {
		if !x.Scope().Covers(v.Key.Split) || x.Until >= at {
			continue
		}
		limit -= x.Amount
		at = max(after(max(0, limit-gone), perHour, now), x.Until)
	}
	return at, at < v.WindowEnd
}

// after is when so much will be spent; MaxInstant for never.
func after(amount, perHour ledger.Amount, now ledger.Instant) ledger.Instant {
	high, low := bits.Mul64(uint64(amount), uint64(ledger.Hour))
	if high >= uint64(perHour) {
		return ledger.MaxInstant
	}
	span, _ := bits.Div64(high, low, uint64(perHour))
	if span >= uint64(ledger.MaxInstant-now) {
		return ledger.MaxInstant
	}
	return now + ledger.Instant(span)
}
