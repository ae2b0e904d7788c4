//go:build linux

package netlab

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

func TestWhatNoHostDialsIsRefused(t *testing.T) {
	l := open(t, Loopback)
	address := serve(t, host(t, l, "b"), 8080, echo)
	c, err := net.Dial("tcp", address)
	if err != nil {
		return // reset before it was seen to be there
	}
	defer func() { _ = c.Close() }()
	if err := c.SetReadDeadline(time.Now().Add(soon)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a stranger got %d bytes, %v", n, err)
	}
}

func TestAConnectionWaitsForTheCutToBeLifted(t *testing.T) {
	l := open(t, Loopback)
	a, b := host(t, l, "a"), host(t, l, "b")
	address := serve(t, b, 8080, echo)
	set(t, l, "b", "a", Rule{Drop: true})
	c, err := dial(t, a, address, soon)
	if err != nil {
		t.Fatal(err)
	}
	c.says(t, "early")
	await(t, "the drop to bite", func() bool { return l.Stats()[Pair{"b", "a"}].Dropped > 0 })
	l.Heal()
	if !c.gets(t, "early", soon) {
		t.Error("the connection was not made after the heal")
	}
}

func TestAHostReachesItself(t *testing.T) {
	inModes(t, func(t *testing.T, l *Lab) {
		a := host(t, l, "a")
		c, err := dial(t, a, serve(t, a, 8080, echo), soon)
		if err != nil {
			t.Fatal(err)
		}
		c.says(t, "to myself")
		if !c.gets(t, "to myself", soon) {
			t.Error("nothing came back")
		}
	})
}

func TestAProxyIsThereOnce(t *testing.T) {
	l := open(t, Loopback)
	b := host(t, l, "b")
	first, err := b.Advertise(b.Address(8080))
	if err != nil {
		t.Fatal(err)
	}
	again, err := b.Advertise(b.Address(8080))
	if err != nil || again != first || first == b.Address(8080) {
		t.Errorf("%s, then %s, %v", first, again, err)
	}
	// Nothing listens yet.
	c, err := dial(t, host(t, l, "a"), first, soon)
	if err == nil && c.gets(t, "", soon) {
		t.Error("nobody answered")
	}
}
