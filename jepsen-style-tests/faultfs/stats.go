//go:build linux

package faultfs

import "sync/atomic"

// Stats count since the mount. They say whether a fault bit.
type Stats struct {
	Ops     uint64 // reads, writes, syncs, changes of size
	Syncs   uint64 // that succeeded
	Failed  uint64 // answered with EIO
	Refused uint64 // answered with ENOSPC
	Delayed uint64
	Stalled uint64 // held, whether released by now or not
	Crashes uint64
	Lost    uint64 // bytes that crashes lost
	Flipped uint64 // bits
	// Presumed counts what the journal had no room for, and is taken as durable:
	// pages and operations on names. A test that counts on losses wants 0.
	Presumed uint64
}

type counters struct {
	ops, syncs, failed, refused, delayed, stalled, crashes, lost, flipped, presumed atomic.Uint64
}

// Stats returns the counts.
func (f *FS) Stats() Stats {
	c := &f.counts
	return Stats{
		Ops: c.ops.Load(), Syncs: c.syncs.Load(), Failed: c.failed.Load(), Refused: c.refused.Load(),
		Delayed: c.delayed.Load(), Stalled: c.stalled.Load(), Crashes: c.crashes.Load(),
		Lost: c.lost.Load(), Flipped: c.flipped.Load(), Presumed: c.presumed.Load(),
	}
}
