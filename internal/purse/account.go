package purse

import (
	"math"
	"sync/atomic"

	"purser/ledger"
)

// shut is added to account.free when the account takes no more holds: whatever
// comes back afterwards, the sum stays below zero and every take misses.
const shut = -(ledger.MaxAmount << 1)

// never is a wake level that no free amount falls below.
const never = math.MinInt64

// account is one lease of this node incarnation: an allowance of one ledger
// account, spent in memory.
//
// What the ledger granted is at any moment in exactly one place:
//
//	granted = returned + unissued + free + held + (spent - unbacked)
//
// free + held + (spent - unbacked) is `issued`: the part that requests may use.
// It never passes the durable mark (the invariant of marks.go).
//
// The atomics are shared by every request. The rest belongs to the core and is
// touched only under its lock.
type account struct {
	free      atomic.Int64 // issued, neither held nor spent; plus shut once closing
	spent     atomic.Int64 // settled, includes overrun
	wake      atomic.Int64 // a take that leaves less than this tells the core
	largest   atomic.Int64 // largest hold since the last scan
	loose     atomic.Int64 // holds that took nothing: of soft budgets, and of zero
	overrun   atomic.Int64 // part of spent beyond the holds it was charged to
	unbacked  atomic.Int64 // part of spent that no issued amount covered
	heard     atomic.Int64 // the ceiling of the last answer and the own spending it knew of; or unknown
	everSoft  atomic.Bool  // spending without a grant is to be expected
	contended atomic.Bool  // requests wait for this account: newcomers queue behind them
	watched   atomic.Bool  // tell the core when a hold ends
	soft      atomic.Bool  // counted, never refused
	rung      atomic.Bool  // is in the bell's list

	key  ledger.AccountKey
	unit ledger.Unit
	end  ledger.Instant // of the window; MaxInstant for none
	book *book
	bell *bell
	// nextRung links the bell's list; owned by whoever set rung.
	nextRung *account

	lease
}

// lease is the core's half of an account.
type lease struct {
	granted  ledger.Amount // cumulative, as last answered
	returned ledger.Amount // cumulative, decided here; sent with the next Exchange
	issued   ledger.Amount // net of returns
	mark     ledger.Amount // durable bound of issued + unbacked; the lower one while a save is under way
	markGoal ledger.Amount // what the save under way will make of mark
	marking  bool          // a save of this account is under way
	inMarks  bool          // waits in core.toMark
	onDisk   bool          // the store may have an entry for it

	state    ledger.AccountState // as last answered; 0 before
	closing  bool                // takes no more holds; returned when the last one ends
	doneSent bool                // the Exchange under way says Done

	ceiling     ledger.Amount // of the last answer
	ceilingBase ledger.Amount // own spending the ceiling knew of
	ceilingTill int64         // mono until which the ceiling is believed; 0 is unknown

	sentSpent    ledger.Amount // last reported and answered
	sentOverrun  ledger.Amount
	sentReturned ledger.Amount

	rate        ledger.Amount // units per second, smoothed; for slots, slots in use
	rateUsed    ledger.Amount // spent + held at the last sample
	rateAt      int64         // mono of the last sample
	largestPrev ledger.Amount // largest hold of the period before the last scan
	usedAt      int64         // mono when the account was last seen in use
	wantAfter   int64         // mono before which no Exchange is begun to ask ahead: the ledger is short
	needAt      int64         // mono before which requests do not ask for it: the ledger was short just now
	yieldTill   int64         // mono until which nothing is asked ahead: others need what was returned

	blocked uint64        // pass in which a parked request found it short
	demand  ledger.Amount // of the requests waiting for it in that pass

	supply      ledger.Amount // idle allowance not reckoned to an earlier request, in supplyDraft
	supplyDraft uint64
	row         int // its row in the message of rowDraft
	rowDraft    uint64
	told        bool // the ledger was told of the lease
	urgent      bool // waits in core.urgent
	index       int  // in core.live; -1 once forgotten
}

// take sets amt > 0 aside.
func (a *account) take(amt ledger.Amount) bool {
	for {
		free := a.free.Load()
		if free < int64(amt) {
			return false
		}
		if a.free.CompareAndSwap(free, free-int64(amt)) {
			if free-int64(amt) < a.wake.Load() {
				a.ring()
			}
			if int64(amt) > a.largest.Load() {
				a.largest.Store(int64(amt)) // a lost race costs a little foresight
			}
			return true
		}
	}
}

// takeLoose counts a hold that takes nothing, so that its account is not
// mistaken for unused. The count goes up before the look: either this sees
// that the account is shut, or the core sees the count.
func (a *account) takeLoose() bool {
	a.loose.Add(1)
	if a.free.Load() < 0 {
		a.loose.Add(-1)
		return false
	}
	return true
}

// giveBack ends a hold as if it had never been.
func (a *account) giveBack(held ledger.Amount, loose bool) {
	if loose {
		a.loose.Add(-1)
	} else {
		a.free.Add(int64(held))
	}
	if a.watched.Load() {
		a.ring()
	}
}

// settle ends a hold of which `actual` was spent. The order of the writes
// matters to reads: see held.
func (a *account) settle(held, actual ledger.Amount, loose bool) {
	backed, passed := held, false
	if loose {
		backed = 0
	}
	switch {
	case actual < backed:
		a.free.Add(int64(backed - actual))
	case actual > backed:
		if got := a.takeUpTo(actual - backed); got < actual-backed {
			a.unbacked.Add(int64(actual - backed - got))
			passed = !loose // the mark: it is to be raised at once
		}
	}
	if actual > held {
		a.overrun.Add(int64(actual - held))
	}
	if actual > 0 {
		a.spent.Add(int64(actual))
	}
	if loose {
		a.loose.Add(-1)
	}
	if passed || a.watched.Load() {
		a.ring()
	}
}

// takeUpTo takes what there is of amt, also from a shut account.
func (a *account) takeUpTo(amt ledger.Amount) ledger.Amount {
	for {
		free := a.free.Load()
		got := min(int64(amt), opened(free))
		if got <= 0 {
			return 0
		}
		if a.free.CompareAndSwap(free, free-got) {
			return ledger.Amount(got)
		}
	}
}

// setSoft follows the budget.
func (a *account) setSoft(soft bool) {
	if soft {
		a.everSoft.Store(true)
	}
	if a.soft.Load() != soft {
		a.soft.Store(soft)
	}
}

// opened is what a free word says without the shut mark.
func opened(free int64) int64 {
	if free < 0 {
		return free - int64(shut)
	}
	return free
}

// held bounds from above what requests hold now. Spending is read first and
// `free` last: a settle or a new hold in between can only raise the answer, so
// 0 means that no hold is left, provided that no new one can begin.
func (a *account) held() ledger.Amount {
	spent := a.spent.Load()
	unbacked := a.unbacked.Load()
	return a.issued + ledger.Amount(unbacked-spent-opened(a.free.Load()))
}

// unused reports whether no hold is left. Only meaningful once the account is shut.
func (a *account) unused() bool { return a.held() == 0 && a.loose.Load() == 0 }

// used is what was ever taken and not given back.
func (a *account) used() ledger.Amount {
	return a.issued + ledger.Amount(a.unbacked.Load()-opened(a.free.Load()))
}

// unissued is the part of the grant that is neither issued nor returned.
func (a *account) unissued() ledger.Amount {
	return max(0, a.granted-a.returned-a.issued-ledger.Amount(a.unbacked.Load()))
}

// idle is what a new hold could use, now or after a mark.
func (a *account) idle() ledger.Amount {
	if a.closing {
		return 0
	}
	return ledger.Amount(max(0, a.free.Load())) + a.unissued()
}

// ceilingNow is the largest hold that can still be granted in this window.
func (a *account) ceilingNow(mono int64) (ledger.Amount, bool) {
	if a.ceilingTill <= mono {
		return 0, false
	}
	return a.ceiling - (ledger.Amount(a.spent.Load()) - a.ceilingBase), true
}

func (a *account) largestHold() ledger.Amount {
	return max(a.largestPrev, ledger.Amount(a.largest.Load()))
}

// ring puts the account into the bell's list, once.
func (a *account) ring() {
	if a.rung.Load() || !a.rung.CompareAndSwap(false, true) {
		return
	}
	a.bell.push(a)
}

// bell is how the hot path tells the core that accounts want attention: a list
// that anyone pushes on and the core takes whole, and a signal of capacity one.
type bell struct {
	head        atomic.Pointer[account]
	signal      chan struct{}
	incarnation uint32 // of this node; the same for every account of the purse
}

func newBell(incarnation uint32) *bell {
	return &bell{signal: make(chan struct{}, 1), incarnation: incarnation}
}

func (b *bell) push(a *account) {
	for {
		head := b.head.Load()
		a.nextRung = head
		if b.head.CompareAndSwap(head, a) {
			break
		}
	}
	b.sound()
}

// sound wakes the core without naming an account.
func (b *bell) sound() {
	select {
	case b.signal <- struct{}{}:
	default:
	}
}

// answer calls f for each account that rang. An account may ring again from
// the moment f is called for it.
func (b *bell) answer(f func(*account)) {
	for a := b.head.Swap(nil); a != nil; {
		next := a.nextRung
		a.nextRung = nil
		a.rung.Store(false)
		f(a)
		a = next
	}
}
