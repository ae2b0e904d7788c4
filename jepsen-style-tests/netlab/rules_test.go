//go:build linux

package netlab

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"
)

var both = []Pair{{"a", "b"}, {"b", "a"}}

func TestHeldBytesComeLater(t *testing.T) {
	inModes(t, func(t *testing.T, l *Lab) {
		c := echoing(t, l)
		for _, p := range both {
			set(t, l, p.From, p.To, Rule{Hold: true})
			c.says(t, "held")
			await(t, "something to be held", func() bool { return l.Stats()[p].Held > 0 })
			if c.gets(t, "held", never) {
				t.Errorf("bytes passed while %v was held", p)
			}
			l.Heal()
			if !c.gets(t, "held", soon) {
				t.Errorf("what %v held was lost", p)
			}
		}
	})
}

func TestDropEndsWithTheRule(t *testing.T) {
	inModes(t, func(t *testing.T, l *Lab) {
		c := echoing(t, l)
		address, err := host(t, l, "b").Advertise(host(t, l, "b").Address(8080))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range both {
			set(t, l, p.From, p.To, Rule{Drop: true})
			// The packets are lost, or the proxy breaks the connection off.
			_, err := c.Write([]byte("dropped\n"))
			if err == nil && c.gets(t, "dropped", never) {
				t.Errorf("%v passed a word", p)
			}
			if c, err := dial(t, host(t, l, "a"), address, never); err == nil {
				c.says(t, "dropped")
				if c.gets(t, "dropped", never) {
					t.Errorf("%v passed a connection", p)
				}
			}
			if n := l.Stats()[p]; n.Dropped == 0 {
				t.Errorf("%v: %+v", p, n)
			}
			l.Heal()
			c, err = dial(t, host(t, l, "a"), address, soon)
			if err != nil {
				t.Fatal(err)
			}
			c.says(t, "healed")
			if !c.gets(t, "healed", soon) {
				t.Errorf("%v does not heal", p)
			}
		}
	})
}

// TestADroppedConnectionGoesOn: with packets, TCP sends again what was lost.
func TestADroppedConnectionGoesOn(t *testing.T) {
	l := open(t, Namespaces)
	c := echoing(t, l)
	set(t, l, "a", "b", Rule{Drop: true})
	c.says(t, "late")
	await(t, "a packet to be dropped", func() bool { return l.Stats()[Pair{"a", "b"}].Dropped > 0 })
	l.Heal()
	if !c.gets(t, "late", soon) {
		t.Error("the word was lost for good")
	}
}

func TestDelayIsOfItsDirection(t *testing.T) {
	inModes(t, func(t *testing.T, l *Lab) {
		c := echoing(t, l)
		const by = 100 * time.Millisecond
		for _, p := range both {
			before := l.Stats()
			set(t, l, p.From, p.To, Rule{Delay: by, Jitter: time.Millisecond})
			began := time.Now()
			c.says(t, "slow")
			if !c.gets(t, "slow", soon) {
				t.Fatalf("%v lost a word", p)
			}
			if took := time.Since(began); took < by {
				t.Errorf("%v took %v", p, took)
			}
			after, back := l.Stats(), Pair{p.To, p.From}
			if after[p].Delayed == before[p].Delayed || after[back].Delayed != before[back].Delayed {
				t.Errorf("%v: %+v, and back %+v", p, after[p], after[back])
			}
			l.Heal()
		}
	})
}

func TestHealDoesNotWaitForADelay(t *testing.T) {
	inModes(t, func(t *testing.T, l *Lab) {
		c := echoing(t, l)
		p := Pair{"a", "b"}
		before := l.Stats()[p].Delayed
		set(t, l, "a", "b", Rule{Delay: maxDelay})
		c.says(t, "delayed")
		await(t, "a packet to be delayed", func() bool { return l.Stats()[p].Delayed > before })
		l.Heal()
		if !c.gets(t, "delayed", soon) {
			t.Error("the word is still on its way")
		}
	})
}

func TestARateBounds(t *testing.T) {
	inModes(t, func(t *testing.T, l *Lab) {
		c := echoing(t, l)
		const rate, size = 1 << 20, 512 << 10
		set(t, l, "a", "b", Rule{Rate: rate})
		began := time.Now()
		sent := make(chan error, 1)
		go func() {
			_, err := c.Write(make([]byte, size))
			sent <- err
		}()
		if _, err := io.CopyN(io.Discard, c.r, size); err != nil {
			t.Fatal(err)
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		if took, least := time.Since(began), time.Second*size/rate; took < least*9/10 || took > 10*least {
			t.Errorf("%d bytes took %v", size, took)
		}
	})
}

// TestTCPBearsIt: all chances at once, and the bytes are the same.
func TestTCPBearsIt(t *testing.T) {
	l := open(t, Namespaces)
	c := echoing(t, l)
	r := Rule{Loss: .03, Duplicate: .1, Reorder: .1, Delay: time.Millisecond, Jitter: time.Millisecond}
	for _, p := range both {
		set(t, l, p.From, p.To, r)
	}
	want := make([]byte, 200<<10)
	chance := rand.NewChaCha8([32]byte{})
	_, _ = chance.Read(want)
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(want)
		sent <- err
	}()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c.r, got); err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("other bytes came back")
	}
	for _, p := range both {
		if n := l.Stats()[p]; n.Lost == 0 || n.Duplicated == 0 || n.Reordered == 0 || n.Delayed == 0 {
			t.Errorf("%v: %+v", p, n)
		}
	}
}

// TestDatagramsAreCounted: what arrives is what the counts say, to the packet.
func TestDatagramsAreCounted(t *testing.T) {
	const sent = 1000
	for name, r := range map[string]Rule{
		"nothing": {}, "drop": {Drop: true}, "loss": {Loss: .2}, "duplicate": {Duplicate: .2}, "reorder": {Reorder: .2},
		"all": {Loss: .2, Duplicate: .2, Reorder: .2, Delay: 5 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			l := open(t, Namespaces)
			numbers := datagrams(t, l, sent, r)
			n := l.Stats()[Pair{"a", "b"}]
			if n.Packets != sent+1 {
				t.Errorf("%+v of %d packets", n, sent)
			}
			if (r.Loss > 0) != (n.Lost > 0) || (r.Duplicate > 0) != (n.Duplicated > 0) || r.Drop != (n.Dropped > 0) {
				t.Errorf("%+v did %+v", r, n)
			}
			if slices.IsSorted(numbers) == (r.Reorder > 0) {
				t.Errorf("in order: %v", slices.IsSorted(numbers))
			}
		})
	}
}

// datagrams sends numbered datagrams from a to b under a rule, and returns the
// numbers that arrive, which are as many as the counts say.
func datagrams(t *testing.T, l *Lab, sent int, r Rule) []int {
	t.Helper()
	a, b := host(t, l, "a"), host(t, l, "b")
	var in net.PacketConn
	if err := b.Do(func() (err error) {
		in, err = net.ListenPacket("udp4", b.Address(5353))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	if err := in.(*net.UDPConn).SetReadBuffer(4 << 20); err != nil {
		t.Fatal(err)
	}
	out, err := a.DialContext(t.Context(), "udp4", b.Address(5353))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	send := func(i int) {
		if _, err := out.Write(binary.BigEndian.AppendUint32(nil, uint32(i))); err != nil {
			t.Fatal(err)
		}
	}
	p := Pair{"a", "b"}
	set(t, l, "a", "b", r)
	receive := func() int {
		if err := in.SetReadDeadline(time.Now().Add(soon)); err != nil {
			t.Fatal(err)
		}
		buffer := make([]byte, 16)
		n, _, err := in.ReadFrom(buffer)
		if err != nil {
			t.Fatal(err)
		}
		return int(binary.BigEndian.Uint32(buffer[:n]))
	}
	for i := range sent {
		send(i)
	}
	await(t, "the switch", func() bool { return l.Stats()[p].Packets == int64(sent) })
	n := l.Stats()[p]
	var numbers []int
	for range int64(sent) - n.Dropped - n.Lost + n.Duplicated {
		numbers = append(numbers, receive())
	}
	l.Heal()
	send(sent)
	if i := receive(); i != sent {
		t.Errorf("more arrives than the counts say: %d", i)
	}
	return numbers
}

func TestOneWayIsOneWay(t *testing.T) {
	l := open(t, Namespaces)
	c := echoing(t, l)
	heard := make(chan string, 1)
	address := serve(t, host(t, l, "b"), 8081, func(c net.Conn) {
		_, _ = c.Write([]byte("open\n"))
		if _, err := io.ReadFull(c, make([]byte, len("x\n"))); err == nil {
			_, _ = c.Write([]byte("still heard\n"))
			heard <- "one"
		}
		_, _ = io.Copy(io.Discard, c)
	})
	talk, err := dial(t, host(t, l, "a"), address, soon)
	if err != nil {
		t.Fatal(err)
	}
	if !talk.gets(t, "open", soon) {
		t.Fatal("nothing came")
	}
	set(t, l, "b", "a", Rule{Drop: true})
	talk.says(t, "x")
	if <-heard != "one" {
		t.Fatal("a does not reach b")
	}
	if talk.gets(t, "still heard", never) || l.Stats()[Pair{"b", "a"}].Dropped == 0 || l.Stats()[Pair{"a", "b"}].Dropped != 0 {
		t.Errorf("b reaches a: %+v", l.Stats())
	}
	l.Heal()
	if !talk.gets(t, "still heard", soon) {
		t.Error("the answer was lost for good")
	}
	c.says(t, "after")
	if !c.gets(t, "after", soon) {
		t.Error("another connection does not go on")
	}
}
