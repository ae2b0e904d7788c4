package netlab

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// run sends numbered packets a millisecond apart and returns how they arrive.
func run(d *direction, packets int) (arrived []string) {
	now := start
	for i := range packets {
		now = start.Add(time.Duration(i) * time.Millisecond)
		due, _ := d.arrived(now)
		for _, p := range due {
			arrived = append(arrived, string(p))
		}
		packet := fmt.Appendf(nil, "%04d", i)
		atOnce, _ := d.take(now, packet)
		for range atOnce {
			arrived = append(arrived, string(packet))
		}
		clear(packet)
	}
	late, _ := d.arrived(now.Add(time.Hour))
	for _, p := range late {
		arrived = append(arrived, string(p))
	}
	return arrived
}

func TestChancesBite(t *testing.T) {
	const sent = 4000
	near := func(got int64, share float64) bool {
		want := share * sent
		return float64(got) > 0.8*want && float64(got) < 1.2*want
	}
	for _, x := range []struct {
		name    string
		rule    Rule
		count   func(Counts) int64
		arrived func(Counts) int64
		ordered bool
	}{
		{"loss", Rule{Loss: .3}, func(c Counts) int64 { return c.Lost }, func(c Counts) int64 { return sent - c.Lost }, true},
		{"duplicates", Rule{Duplicate: .3}, func(c Counts) int64 { return c.Duplicated }, func(c Counts) int64 { return sent + c.Duplicated }, true},
		{"reordering", Rule{Reorder: .3}, func(c Counts) int64 { return c.Reordered }, func(Counts) int64 { return sent }, false},
		{"reordering of delayed", Rule{Reorder: .3, Delay: time.Second, Jitter: time.Second}, func(c Counts) int64 { return c.Reordered }, func(Counts) int64 { return sent }, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			d := newDirection(1, 2)
			d.set(x.rule)
			got := run(d, sent)
			if !near(x.count(d.counts), .3) {
				t.Errorf("it bit %d of %d times", x.count(d.counts), sent)
			}
			if int64(len(got)) != x.arrived(d.counts) {
				t.Errorf("%d arrived with %+v", len(got), d.counts)
			}
			if slices.IsSorted(got) != x.ordered {
				t.Errorf("in order: %v", slices.IsSorted(got))
			}
			again := newDirection(1, 2)
			again.set(x.rule)
			if !slices.Equal(run(again, sent), got) {
				t.Error("the same seed gave something else")
			}
			other := newDirection(3, 2)
			other.set(x.rule)
			if slices.Equal(run(other, sent), got) {
				t.Error("another seed gave the same")
			}
		})
	}
}

func TestJitterKeepsTheOrder(t *testing.T) {
	d := newDirection(1, 2)
	d.set(Rule{Delay: 5 * time.Millisecond, Jitter: 50 * time.Millisecond})
	got := run(d, 1000)
	if len(got) != 1000 || !slices.IsSorted(got) {
		t.Errorf("%d of 1000 arrived, in order: %v", len(got), slices.IsSorted(got))
	}
	if d.counts.Delayed != 1000 {
		t.Errorf("%+v", d.counts)
	}
}

func TestDelayIsExact(t *testing.T) {
	d := newDirection(1, 2)
	d.set(Rule{Delay: 20 * time.Millisecond})
	if now, waits := d.take(start, []byte("x")); now != 0 || !waits {
		t.Fatalf("%d went at once, waits: %v", now, waits)
	}
	due := start.Add(20 * time.Millisecond)
	if got, next := d.arrived(due.Add(-1)); len(got) != 0 || !next.Equal(due) {
		t.Errorf("%d arrived early, next at %v", len(got), next)
	}
	if got, next := d.arrived(due); len(got) != 1 || !next.IsZero() {
		t.Errorf("%d arrived, next at %v", len(got), next)
	}
}

func TestARateSpacesPackets(t *testing.T) {
	d := newDirection(1, 2)
	d.set(Rule{Rate: 1000})
	packet := make([]byte, 100) // a tenth of a second each
	for range 20 {
		d.take(start, packet)
	}
	// The last that is taken begins within a second.
	if n := d.counts.Overflowed; n != 9 {
		t.Errorf("%d of 20 found the queue full", n)
	}
	for i := range 11 {
		at := start.Add(time.Duration(i+1) * 100 * time.Millisecond)
		if got, _ := d.arrived(at.Add(-time.Millisecond)); len(got) != 0 {
			t.Errorf("packet %d was early", i)
		}
		if got, _ := d.arrived(at.Add(time.Millisecond)); len(got) != 1 {
			t.Errorf("packet %d was late", i)
		}
	}
}

func TestHeldPacketsComeInOrder(t *testing.T) {
	d := newDirection(1, 2)
	d.set(Rule{Delay: time.Second})
	d.take(start, []byte("delayed"))
	d.set(Rule{Hold: true})
	d.take(start.Add(time.Minute), []byte("held"))
	if got, next := d.arrived(start.Add(time.Hour)); len(got) != 0 || !next.IsZero() {
		t.Fatalf("%d passed, next at %v", len(got), next)
	}
	got := d.set(Rule{})
	if len(got) != 2 || string(got[0]) != "delayed" || string(got[1]) != "held" {
		t.Errorf("%q arrived", got)
	}
	if d.bytes != 0 || d.counts.Held != 1 {
		t.Errorf("%d bytes are left, %+v", d.bytes, d.counts)
	}
	if now, _ := d.take(start.Add(time.Hour), []byte("x")); now != 1 {
		t.Error("a packet waits although nothing is held")
	}
}

func TestDropLosesWhatWaits(t *testing.T) {
	d := newDirection(1, 2)
	d.set(Rule{Hold: true})
	d.take(start, []byte("held"))
	d.set(Rule{Drop: true, Hold: true})
	if now, waits := d.take(start, []byte("dropped")); now != 0 || waits {
		t.Error("a packet passed")
	}
	if got := d.set(Rule{}); len(got) != 0 || d.counts.Dropped != 2 {
		t.Errorf("%q came back, %+v", got, d.counts)
	}
}

func TestWhatWaitsIsBounded(t *testing.T) {
	for name, size := range map[string]int{"packets": 1, "bytes": 64 << 10} {
		d := newDirection(1, 2)
		d.set(Rule{Hold: true})
		packet := make([]byte, size)
		for range 2 * maxWaiting {
			d.take(start, packet)
		}
		if len(d.queue) > maxWaiting || d.bytes > maxWaitingBytes {
			t.Errorf("%s: %d packets of %d bytes wait", name, len(d.queue), d.bytes)
		}
		if d.counts.Overflowed+d.counts.Held != 2*maxWaiting || d.counts.Held == 0 {
			t.Errorf("%s: %+v", name, d.counts)
		}
	}
}

func TestRulesAreChecked(t *testing.T) {
	for want, r := range map[string]Rule{
		"Loss": {Loss: 1.1}, "Duplicate": {Duplicate: -.1}, "Reorder": {Reorder: 2},
		"Delay": {Delay: -1}, "Jitter": {Jitter: time.Hour}, "Rate": {Rate: -1},
	} {
		if err := r.validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if err := (Rule{Drop: true, Hold: true, Loss: 1, Duplicate: 1, Reorder: 1, Delay: maxDelay, Jitter: maxDelay, Rate: 1}).validate(); err != nil {
		t.Error(err)
	}
}
