//go:build linux

package netlab

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestABigTransfer(t *testing.T) {
	inModes(t, func(t *testing.T, l *Lab) {
		const size = 50 << 20
		arrived := make(chan int64, 1)
		address := serve(t, host(t, l, "b"), 8080, func(c net.Conn) {
			n, _ := io.Copy(io.Discard, c)
			arrived <- n
		})
		c, err := dial(t, host(t, l, "a"), address, soon)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := c.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		if n := <-arrived; n != size {
			t.Errorf("%d bytes of %d arrived", n, size)
		}
		t.Logf("%v for %d bytes", time.Since(began), size)
		if n := l.Stats()[Pair{"a", "b"}]; n.Bytes < size || n.Refused > 0 {
			t.Errorf("%+v", n)
		}
	})
}

func TestModes(t *testing.T) {
	l := open(t, Loopback)
	if l.Mode() != Loopback || l.Why() == "" {
		t.Errorf("%v because %q", l.Mode(), l.Why())
	}
	auto := open(t, Auto)
	if (auto.Mode() == Namespaces) != (auto.Why() == "") {
		t.Errorf("%v because %q", auto.Mode(), auto.Why())
	}
	if spaces := open(t, Namespaces); spaces.Mode() != Namespaces || spaces.Why() != "" {
		t.Errorf("%v because %q", spaces.Mode(), spaces.Why())
	}
	if _, err := Open(Options{Mode: 7}); err == nil {
		t.Error("a mode that there is not")
	}
}

// TestLabsDoNotMeet: the same host, the same port, twice on one machine.
func TestLabsDoNotMeet(t *testing.T) {
	inModes(t, func(t *testing.T, one *Lab) {
		two := open(t, one.Mode())
		for name, l := range map[string]*Lab{"one": one, "two": two} {
			address := serve(t, host(t, l, "b"), 8080, func(c net.Conn) { _, _ = fmt.Fprintln(c, name) })
			c, err := dial(t, host(t, l, "a"), address, soon)
			if err != nil {
				t.Fatal(err)
			}
			if !c.gets(t, name, soon) {
				t.Errorf("another answered in lab %s", name)
			}
		}
		if err := one.Set("a", "b", Rule{Drop: true}); err != nil {
			t.Fatal(err)
		}
		if r := two.Rule("a", "b"); r != (Rule{}) {
			t.Errorf("a rule of another lab: %+v", r)
		}
	})
}

func TestHostsAreBoundedAndKept(t *testing.T) {
	inModes(t, func(t *testing.T, l *Lab) {
		seen := map[string]bool{}
		for i := range MaxHosts {
			seen[host(t, l, strconv.Itoa(i)).Address(8080)] = true
		}
		if len(seen) != MaxHosts {
			t.Errorf("%d hosts have %d addresses", MaxHosts, len(seen))
		}
		if _, err := l.Host("one more"); err == nil {
			t.Error("there is no bound")
		}
		if first, again := host(t, l, "0"), host(t, l, "0"); first != again {
			t.Error("a name has two hosts")
		}
		if n := len(l.Stats()); n != MaxHosts*(MaxHosts-1) {
			t.Errorf("%d directions", n)
		}
		// The last two that came meet as the first do.
		address := serve(t, host(t, l, "31"), 8080, echo)
		c, err := dial(t, host(t, l, "30"), address, soon)
		if err != nil {
			t.Fatal(err)
		}
		c.says(t, "hello")
		if !c.gets(t, "hello", soon) {
			t.Error("nothing came back")
		}
	})
}

func TestWhatIsNotPossibleIsRefused(t *testing.T) {
	inModes(t, func(t *testing.T, l *Lab) {
		a, b := host(t, l, "a"), host(t, l, "b")
		for name, err := range map[string]error{
			"no host":    l.Set("a", "z", Rule{}),
			"itself":     l.Set("a", "a", Rule{Drop: true}),
			"bad share":  l.Set("a", "b", Rule{Loss: 2}),
			"other's":    second(a.Advertise(b.Address(8080))),
			"any port":   second(a.Advertise(a.Address(0))),
			"name":       second(a.Advertise("localhost:8080")),
			"dial names": second(a.DialContext(t.Context(), "tcp", "localhost:8080")),
		} {
			if err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		if err := l.Apply(Rules{{"a", "b"}: {Drop: true}, {"b", "z"}: {Drop: true}}); err == nil || l.Rule("a", "b").Drop {
			t.Errorf("some of the rules hold: %v", err)
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestLoopbackSaysWhatItCannot(t *testing.T) {
	l := open(t, Loopback)
	a, b := host(t, l, "a"), host(t, l, "b")
	for _, err := range []error{
		l.Set("a", "b", Rule{Loss: .1}), l.Set("a", "b", Rule{Duplicate: .1}), l.Set("a", "b", Rule{Reorder: .1}),
		second(a.DialContext(t.Context(), "udp", b.Address(8080))),
	} {
		if !errors.Is(err, ErrUnsupported) {
			t.Errorf("%v", err)
		}
	}
	if _, err := a.DialContext(t.Context(), "tcp", b.Address(8080)); err == nil || !strings.Contains(err.Error(), "Advertise") {
		t.Errorf("around the proxy: %v", err)
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	inModes(t, func(t *testing.T, before *Lab) {
		count := func() (files, goroutines int) {
			names, err := os.ReadDir("/proc/self/fd")
			if err != nil {
				t.Fatal(err)
			}
			return len(names), runtime.NumGoroutine()
		}
		files, goroutines := count()
		for range 3 {
			l, err := Open(Options{Mode: before.Mode()})
			if err != nil {
				t.Fatal(err)
			}
			a, b := host(t, l, "a"), host(t, l, "b")
			server, err := b.Listen("tcp", b.Address(8080))
			if err != nil {
				t.Fatal(err)
			}
			address, err := b.Advertise(b.Address(8080))
			if err != nil {
				t.Fatal(err)
			}
			client, err := a.DialContext(t.Context(), "tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			set(t, l, "a", "b", Rule{Delay: time.Minute})
			if _, err := client.Write([]byte("delayed")); err != nil {
				t.Fatal(err)
			}
			await(t, "a packet to wait", func() bool { return l.Stats()[Pair{"a", "b"}].Delayed > 0 })
			if err := errors.Join(l.Close(), l.Close(), client.Close(), server.Close()); err != nil {
				t.Fatal(err)
			}
			if _, err := l.Host("c"); !errors.Is(err, errClosed) {
				t.Errorf("a host in a closed lab: %v", err)
			}
			if err := a.Do(func() error { return nil }); !errors.Is(err, errClosed) {
				t.Errorf("a function on a closed host: %v", err)
			}
			if err := l.Set("a", "b", Rule{}); !errors.Is(err, errClosed) {
				t.Errorf("a rule in a closed lab: %v", err)
			}
			l.Heal()
		}
		await(t, "what was opened to be gone", func() bool {
			f, g := count()
			return f <= files && g <= goroutines
		})
	})
}

// BenchmarkRoundTrip is a byte there and back over TCP, through the switch.
func BenchmarkRoundTrip(b *testing.B) {
	l, err := Open(Options{Mode: Namespaces})
	if err != nil {
		b.Skip(err)
	}
	defer func() { _ = l.Close() }()
	client, err := l.Host("a")
	if err != nil {
		b.Fatal(err)
	}
	server, err := l.Host("b")
	if err != nil {
		b.Fatal(err)
	}
	in, err := server.Listen("tcp", server.Address(8080))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	go func() {
		if c, err := in.Accept(); err == nil {
			echo(c)
		}
	}()
	c, err := client.DialContext(b.Context(), "tcp", server.Address(8080))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	packet := []byte{1}
	for b.Loop() {
		if _, err := c.Write(packet); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Read(packet); err != nil {
			b.Fatal(err)
		}
	}
}
