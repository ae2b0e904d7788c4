package ledger

// Money moves in these ways and no other. Each leaves the account conserved
// (L1), and each amount is at least zero.

// grant gives the lease g of the account's money. It leaves `available` here
// and now, before the node learns of it (L2).
func (a *account) grant(l *lease, g Amount) {
	if l.done {
		l.done = false
		a.open++
	}
	a.available -= g
	a.outstanding += g
	l.granted += g
}

// force grants what is spent already.
func (a *account) force(l *lease, g Amount) {
	a.grant(l, g)
	l.forced += g
}

// settle turns outstanding money into spent money.
func (a *account) settle(l *lease, amount Amount) {
	a.outstanding -= amount
	a.spent += amount
	l.spent += amount
}

// giveBack returns outstanding money.
func (a *account) giveBack(l *lease, amount Amount) {
	a.outstanding -= amount
	a.available += amount
	l.returned += amount
}

// withhold writes off what is available, until it is released.
func (a *account) withhold() {
	amount := max(0, a.available)
	a.available -= amount
	a.writtenOff += amount
	a.withheld += amount
}

// release undoes what was withheld.
func (a *account) release() {
	a.available += a.withheld
	a.writtenOff -= a.withheld
	a.withheld = 0
}

// relimit changes the limit; what is out stays out.
func (a *account) relimit(limit Amount) {
	a.available += limit - a.limit
	a.limit = limit
}

// rest says what becomes of the money a closing lease has outstanding.
type rest uint8

const (
	restReturned   rest = iota // nobody can spend it any more
	restWrittenOff             // nobody can say whether it was spent
)

// close ends the lease: nothing is outstanding afterwards, and its counters
// begin anew. Slots come back whatever happened: whoever held them is gone.
func (a *account) close(l *lease, r rest) {
	out := l.outstanding()
	a.outstanding -= out
	if r == restWrittenOff && a.unit != Slots {
		a.writtenOff += out
	} else {
		a.available += out
	}
	a.rates -= l.rate
	if !l.done {
		a.open--
	}
	*l = lease{
		owner: l.owner, node: l.node, done: true,
		earlierSpent:   l.earlierSpent + l.spent,
		earlierOverrun: l.earlierOverrun + l.overrun,
	}
}

// setRate notes how fast the lease is being spent.
func (a *account) setRate(l *lease, rate Amount) {
	rate = min(rate, maxRate)
	a.rates += rate - l.rate
	l.rate = rate
}

// room is how much a lease that was granted so much may be granted before the
// sums leave their range. Only forced grants and soft budgets get near it:
// others are limited by what is available.
func (a *account) room(granted Amount) Amount {
	return min(MaxAmount-(a.limit-a.available), MaxAmount-granted)
}
