package netlab

import (
	"container/heap"
	"math/rand/v2"
	"time"
)

// Bounds of what waits in one direction: a sender's TCP stops long before, at its
// window, unless there are many connections.
const (
	maxWaiting      = 8192
	maxWaitingBytes = 16 << 20
	maxRateWait     = time.Second
	// Reordered packets are kept back by this much more.
	minReorder, maxReorder = time.Millisecond, 10 * time.Millisecond
)

// direction decides about the packets of one direction. It has no clock: times
// are given, and must not go back. The same seed, packets, rules and times give the
// same decisions.
type direction struct {
	rule   Rule
	chance *rand.Rand
	counts Counts
	queue  queue
	bytes  int // in the queue
	seq    uint64
	// free is when a line of the rule's Rate has carried all that it took.
	free time.Time
	// last is the latest time for which a packet in order waits.
	last time.Time
}

func newDirection(seed, stream uint64) *direction {
	return &direction{chance: rand.New(rand.NewPCG(seed, stream))}
}

// take decides about a packet that was sent then: how many copies go at once, and
// whether copies wait. It keeps no reference to the packet.
func (d *direction) take(now time.Time, packet []byte) (atOnce int, waits bool) {
	d.counts.Packets++
	d.counts.Bytes += int64(len(packet))
	r := d.rule
	if r.Drop {
		d.counts.Dropped++
		return 0, false
	}
	if d.hits(r.Loss) {
		d.counts.Lost++
		return 0, false
	}
	copies := 1
	if d.hits(r.Duplicate) {
		d.counts.Duplicated++
		copies = 2
	}
	due, ok := d.due(now, len(packet))
	if !ok {
		d.counts.Overflowed++
		return 0, false
	}
	if d.hits(r.Reorder) {
		d.counts.Reordered++
		due = due.Add(minReorder + time.Duration(d.chance.Int64N(int64(maxReorder-minReorder))))
	}
	if !r.Hold && !due.After(now) {
		return copies, false
	}
	if len(d.queue)+copies > maxWaiting || d.bytes+copies*len(packet) > maxWaitingBytes {
		d.counts.Overflowed++
		return 0, false
	}
	if r.Hold {
		d.counts.Held++
	}
	kept := append([]byte(nil), packet...)
	for range copies {
		heap.Push(&d.queue, waiting{due, d.seq, kept})
		d.seq++
		d.bytes += len(kept)
	}
	return 0, true
}

// due is when a packet in order arrives; false if it would wait too long for the
// Rate.
func (d *direction) due(now time.Time, size int) (time.Time, bool) {
	r, due := d.rule, now
	if r.Rate > 0 {
		start := later(now, d.free)
		if start.Sub(now) > maxRateWait {
			return now, false
		}
		d.free = start.Add(time.Duration(float64(size) / float64(r.Rate) * float64(time.Second)))
		due = d.free
	}
	due = due.Add(r.Delay)
	if r.Jitter > 0 {
		due = due.Add(time.Duration(d.chance.Int64N(int64(r.Jitter))))
	}
	if due.After(now) {
		d.counts.Delayed++
	}
	d.last = later(due, d.last)
	return d.last, true
}

// hits draws nothing for a share of 0.
func (d *direction) hits(share float64) bool { return share > 0 && d.chance.Float64() < share }

// set makes a rule hold, and returns what arrives at once because of it: all that
// waits, in order, unless the rule holds it still or drops it.
func (d *direction) set(r Rule) [][]byte {
	d.rule, d.free = r, time.Time{}
	if r.Hold && !r.Drop {
		return nil
	}
	d.last = time.Time{}
	if r.Drop {
		d.counts.Dropped += int64(len(d.queue))
		d.queue, d.bytes = nil, 0
		return nil
	}
	var out [][]byte
	for len(d.queue) > 0 {
		out = append(out, d.pop())
	}
	return out
}

// arrived returns the packets that are due then, and when the next is; the zero
// time if none is to be waited for.
func (d *direction) arrived(now time.Time) (packets [][]byte, next time.Time) {
	if d.rule.Hold {
		return nil, time.Time{}
	}
	for len(d.queue) > 0 {
		if due := d.queue[0].due; due.After(now) {
			return packets, due
		}
		packets = append(packets, d.pop())
	}
	return packets, time.Time{}
}

func (d *direction) pop() []byte {
	w := heap.Pop(&d.queue).(waiting)
	d.bytes -= len(w.packet)
	return w.packet
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// waiting is a packet on its way.
type waiting struct {
	due    time.Time
	seq    uint64
	packet []byte
}

// queue is a heap: the first due comes first, and of those the first sent.
type queue []waiting

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if q[i].due.Equal(q[j].due) {
		return q[i].seq < q[j].seq
	}
	return q[i].due.Before(q[j].due)
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(waiting)) }
func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = waiting{}
	*q = old[:len(old)-1]
	return last
}
