package attempts

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"testing"
	"time"
)

var (
	start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	here  = netip.MustParseAddr("192.0.2.1")
)

func fail(t *testing.T, table *Table, from netip.Addr, n int, now time.Time) {
	t.Helper()
	for i := range n {
		if wait := table.Failed(from, now); wait != 0 {
			t.Fatalf("failure %d of %s is to wait %v", i+1, from, wait)
		}
	}
}

func TestAnAddressWaitsAfterItsBurst(t *testing.T) {
	var table Table
	fail(t, &table, here, Burst, start)
	if wait := table.Wait(here, start); wait != Refill {
		t.Errorf("after the burst it waits %v", wait)
	}
	for range 100 {
		if wait := table.Failed(here, start); wait != Refill {
			t.Fatalf("failures while it is to wait count on top: %v", wait)
		}
	}
	if wait := table.Wait(here, start.Add(Refill)); wait != 0 {
		t.Errorf("a refill later it waits %v", wait)
	}
	fail(t, &table, here, 1, start.Add(Refill))
	if wait := table.Failed(here, start.Add(Refill)); wait != Refill {
		t.Errorf("one failure came back, not more: %v", wait)
	}
	fail(t, &table, here, Burst, start.Add(time.Hour))
	if wait := table.Wait(netip.MustParseAddr("192.0.2.2"), start.Add(time.Hour)); wait != 0 {
		t.Errorf("its neighbour waits %v", wait)
	}
}

func TestWhatCountsAsOneAddress(t *testing.T) {
	for name, c := range map[string]struct {
		a, b string
		same bool
	}{
		"one customer's IPv6":    {"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true},
		"two customers' IPv6":    {"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		"IPv4 as IPv6":           {"192.0.2.1", "::ffff:192.0.2.1", true},
		"two IPv4":               {"192.0.2.1", "192.0.2.3", false},
		"two IPv4 as IPv6":       {"::ffff:192.0.2.1", "::ffff:192.0.2.3", false},
		"one link, two of zones": {"fe80::1%eth0", "fe80::1%eth1", true},
	} {
		var table Table
		fail(t, &table, netip.MustParseAddr(c.a), Burst, start)
		if waits := table.Wait(netip.MustParseAddr(c.b), start) > 0; waits != c.same {
			t.Errorf("%s: %s waits for %s: %v", name, c.b, c.a, waits)
		}
	}
	var table Table
	fail(t, &table, netip.Addr{}, Burst, start)
	if table.Wait(netip.Addr{}, start) == 0 {
		t.Error("what has no address is not counted")
	}
}

func TestTheTableIsBounded(t *testing.T) {
	var table Table
	fail(t, &table, here, Burst, start)
	var raw [4]byte
	for i := range uint32(MaxAddresses + 10) {
		binary.BigEndian.PutUint32(raw[:], 10<<24|i)
		table.Failed(netip.AddrFrom4(raw), start)
	}
	if len(table.known) != MaxAddresses || table.order.Len() != MaxAddresses {
		t.Errorf("%d addresses are kept, %d in order", len(table.known), table.order.Len())
	}
	if table.Wait(here, start) != 0 {
		t.Error("the oldest was not forgotten")
	}
	if last := netip.AddrFrom4(raw); len(table.known) > 0 && table.known[last] == nil {
		t.Error("the latest was forgotten")
	}
}

func TestManyAtOnceCountExactly(t *testing.T) {
	var table Table
	var wg sync.WaitGroup
	passed := make(chan bool, 10*Burst)
	for range 10 * Burst {
		wg.Go(func() { passed <- table.Failed(here, start) == 0 })
	}
	wg.Wait()
	close(passed)
	n := 0
	for ok := range passed {
		if ok {
			n++
		}
	}
	if n != Burst {
		t.Errorf("%d failures passed, the burst is %d", n, Burst)
	}
}
