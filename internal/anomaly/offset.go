package anomaly

import "purser/ledger"

// asked is how many questions an offset is estimated by: those of a minute.
const asked = 6

// Offset is how far the clock of the node that asks for bins is ahead of this node's, by what
// its questions say the time is. A question that takes long makes it less and never more, so
// the largest of the last few is nearest. Its zero value is that of clocks that agree; it is
// not safe for concurrent use.
type Offset struct {
	last [asked]ledger.Instant
	n    int
}

// Asked takes in what the time is for who asks, and here.
func (o *Offset) Asked(theirs, here ledger.Instant) {
	o.last[o.n%asked] = theirs - here
	o.n++
}

// Ahead is the estimate, nanoseconds.
func (o *Offset) Ahead() ledger.Instant {
	if o.n == 0 {
		return 0
	}
	most := o.last[0]
	for _, x := range o.last[:min(o.n, asked)] {
		most = max(most, x)
	}
	return most
}
