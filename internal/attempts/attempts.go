// Package attempts counts credentials that were no good, by the address they came
// from, and says when an address is to wait before the next. It decides nothing
// about good ones: whether those pass an address that is to wait is the caller's
// choice.
//
// Each address has a bucket of [Burst] failures that fills again by one every
// [Refill]. IPv6 addresses count by /64, which is what one customer gets. The table
// is bounded: beyond [MaxAddresses] the one that has not failed for the longest is
// forgotten, so that many addresses cannot use up memory, nor lock others out.
//
// A [Table] may be used by any number of goroutines. It reads no clock.
package attempts

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

const (
	// Burst is how many failures an address may have before it is to wait: a person
	// who tries old passwords, a fleet that starts with yesterday's key.
	Burst = 20
	// Refill is how long one failure is remembered: 20 a minute can be tried for ever.
	Refill = 3 * time.Second
	// MaxAddresses bounds the table, at some 200 bytes each.
	MaxAddresses = 1 << 15
	// prefix6 is the part of an IPv6 address that names a customer.
	prefix6 = 64
)

// Table is the failures of every address. The zero Table is empty and ready.
type Table struct {
	mu    sync.Mutex
	known map[netip.Addr]*list.Element
	order list.List // of *bucket, the latest failure first
}

// bucket is one address. It is empty of failures again at full.
type bucket struct {
	address netip.Addr
	full    time.Time
}

// Failed notes a failure at an instant, and returns how long the address is to
// wait before it tries again: 0 as long as it has failures left. A failure while
// the address is to wait is not counted on top.
func (t *Table) Failed(from netip.Addr, now time.Time) time.Duration {
	from = network(from)
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.bucketLocked(from)
	if b.full.Before(now) {
		b.full = now
	}
	if wait := b.wait(now); wait > 0 {
		return wait
	}
	b.full = b.full.Add(Refill)
	return 0
}

// Wait is how long an address is to wait before it tries again; 0: not at all.
func (t *Table) Wait(from netip.Addr, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	e, ok := t.known[network(from)]
	if !ok {
		return 0
	}
	return e.Value.(*bucket).wait(now)
}

// wait is until one more failure has room.
func (b *bucket) wait(now time.Time) time.Duration {
	return max(0, b.full.Add(Refill).Sub(now)-Burst*Refill)
}

func (t *Table) bucketLocked(address netip.Addr) *bucket {
	if e, ok := t.known[address]; ok {
		t.order.MoveToFront(e)
		return e.Value.(*bucket)
	}
	if t.known == nil {
		t.known = map[netip.Addr]*list.Element{}
	}
	if len(t.known) >= MaxAddresses {
		oldest := t.order.Back()
		delete(t.known, t.order.Remove(oldest).(*bucket).address)
	}
	b := &bucket{address: address}
	t.known[address] = t.order.PushFront(b)
	return b
}

// network is what an address counts as. Those that are none count as one.
func network(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if !a.Is6() {
		return a
	}
	p, err := a.Prefix(prefix6)
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr()
}
