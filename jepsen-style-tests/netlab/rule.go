package netlab

import (
	"errors"
	"fmt"
	"time"
)

// Pair is a direction: what one host sends to another.
type Pair struct{ From, To string }

// Rule is what happens to what goes in one direction. The zero Rule carries
// everything at once.
type Rule struct {
	// Drop loses everything, and what was waiting.
	Drop bool
	// Hold keeps everything until it is lifted; then it arrives, in order.
	Hold bool
	// Loss is the share of packets that are lost, from 0 to 1.
	Loss float64
	// Duplicate is the share of packets that arrive twice.
	Duplicate float64
	// Reorder is the share of packets that are kept back for 1 to 10 ms more, while
	// those behind them pass.
	Reorder float64
	// Delay is added to every packet's way.
	Delay time.Duration
	// Jitter is the most that is added to Delay, drawn for each packet. It keeps the
	// order of packets: for another order there is Reorder.
	Jitter time.Duration
	// Rate is the most bytes in a second, headers of IP and TCP included; 0 for no
	// bound. What would have to wait longer than a second for it is lost, as at a
	// full queue.
	Rate int64
}

// ErrUnsupported is of a rule that the mode of a [Lab] cannot follow.
var ErrUnsupported = errors.New("not in this mode")

// maxDelay bounds Delay and Jitter, far beyond any time that a test waits.
const maxDelay = 10 * time.Minute

func (r Rule) validate() error {
	for _, x := range []struct {
		name  string
		share float64
	}{{"Loss", r.Loss}, {"Duplicate", r.Duplicate}, {"Reorder", r.Reorder}} {
		if !(x.share >= 0 && x.share <= 1) {
			return fmt.Errorf("a rule's %s is %v: it is a share, from 0 to 1", x.name, x.share)
		}
	}
	for _, x := range []struct {
		name string
		time time.Duration
	}{{"Delay", r.Delay}, {"Jitter", r.Jitter}} {
		if x.time < 0 || x.time > maxDelay {
			return fmt.Errorf("a rule's %s is %v: it is from 0 to %v", x.name, x.time, maxDelay)
		}
	}
	if r.Rate < 0 {
		return fmt.Errorf("a rule's Rate is %d: it is bytes in a second, 0 for no bound", r.Rate)
	}
	return nil
}

// Counts is what happened in one direction since the lab was opened. In loopback
// mode a packet is what one read of a connection gave, and Dropped counts
// connections.
type Counts struct {
	Packets, Bytes int64 // that were sent, whatever became of them
	Dropped        int64 // by Drop
	Lost           int64 // by Loss
	Duplicated     int64 // by Duplicate
	Reordered      int64 // by Reorder
	Delayed        int64 // by Delay, Jitter or Rate
	Held           int64 // by Hold
	Overflowed     int64 // lost at a full queue, of what waits or for a Rate
	Refused        int64 // that the receiver's device did not take
}
