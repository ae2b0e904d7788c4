//go:build linux

package netlab

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	soon  = 10 * time.Second
	never = 200 * time.Millisecond
)

// open opens a lab of a mode, or skips the test where the machine does not allow
// it.
func open(t *testing.T, m Mode) *Lab {
	t.Helper()
	l, err := Open(Options{Mode: m, Seed: 1, Log: t.Logf})
	if err != nil {
		t.Skipf("no lab with %v here: %v", m, err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return l
}

func host(t *testing.T, l *Lab, name string) *Host {
	t.Helper()
	h, err := l.Host(name)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func set(t *testing.T, l *Lab, from, to string, r Rule) {
	t.Helper()
	if err := l.Set(from, to, r); err != nil {
		t.Fatal(err)
	}
}

// serve listens on a host and gives each connection to a function. It returns what
// others dial.
func serve(t *testing.T, h *Host, port int, each func(net.Conn)) string {
	t.Helper()
	l, err := h.Listen("tcp", h.Address(port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { each(c); _ = c.Close() }()
		}
	}()
	address, err := h.Advertise(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func echo(c net.Conn) { _, _ = io.Copy(c, c) }

// line is a connection with the words that come back on it.
type line struct {
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, from *Host, address string, within time.Duration) (line, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	c, err := from.DialContext(ctx, "tcp", address)
	if err != nil {
		return line{}, err
	}
	t.Cleanup(func() { _ = c.Close() })
	return line{c, bufio.NewReader(c)}, nil
}

func (l line) says(t *testing.T, word string) {
	t.Helper()
	if _, err := l.Write([]byte(word + "\n")); err != nil {
		t.Fatalf("%q was not sent: %v", word, err)
	}
}

// gets says whether a word comes within a time.
func (l line) gets(t *testing.T, word string, within time.Duration) bool {
	t.Helper()
	if err := l.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	got, err := l.r.ReadString('\n')
	return err == nil && got == word+"\n"
}

// pair is a connection from a host a to an echo on a host b.
func pair(t *testing.T, m Mode) (*Lab, line) {
	t.Helper()
	l := open(t, m)
	a, b := host(t, l, "a"), host(t, l, "b")
	c, err := dial(t, a, serve(t, b, 80, echo), soon)
	if err != nil {
		t.Fatal(err)
	}
	c.says(t, "before")
	if !c.gets(t, "before", soon) {
		t.Fatal("nothing came back")
	}
	return l, c
}

func TestABigTransfer(t *testing.T) {
	l := open(t, Namespaces)
	a, b := host(t, l, "a"), host(t, l, "b")
	const size = 50 << 20
	arrived := make(chan int64, 1)
	address := serve(t, b, 80, func(c net.Conn) {
		n, _ := io.Copy(io.Discard, c)
		arrived <- n
	})
	c, err := dial(t, a, address, soon)
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
	if n := l.Stats()[Pair{"a", "b"}]; n.Bytes < size {
		t.Errorf("%+v does not count them", n)
	}
}

func TestHeldBytesComeLater(t *testing.T) {
	for _, p := range []Pair{{"a", "b"}, {"b", "a"}} {
		l, c := pair(t, Namespaces)
		set(t, l, p.From, p.To, Rule{Hold: true})
		c.says(t, "held")
		if c.gets(t, "held", never) {
			t.Errorf("bytes passed while %v was held", p)
		}
		l.Heal()
		if !c.gets(t, "held", soon) {
			t.Errorf("what %v held was lost", p)
		}
		if n := l.Stats()[p]; n.Held == 0 {
			t.Errorf("%v: %+v", p, n)
		}
	}
}

func TestAChildIsOnItsHostAndDiesWithTheLab(t *testing.T) {
	l := open(t, Namespaces)
	a := host(t, l, "a")
	cmd := exec.Command("cat", "/proc/self/net/fib_trie", "-")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(cmd); err != nil {
		t.Fatal(err)
	}
	ip, _, _ := strings.Cut(a.Address(0), ":")
	found, lines := false, bufio.NewScanner(out)
	for !found && lines.Scan() {
		found = strings.Contains(lines.Text(), ip)
	}
	if !found {
		t.Errorf("a child on %s does not have its address %s", a.Name(), ip)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("the child ended with %v", err)
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	open(t, Namespaces)
	count := func() (files, goroutines int) {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names), runtime.NumGoroutine()
	}
	files, goroutines := count()
	for i := range 3 {
		l, err := Open(Options{Mode: Namespaces})
		if err != nil {
			t.Fatal(err)
		}
		for j := range 4 {
			host(t, l, strconv.Itoa(i*10+j))
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	f, g := count()
	for deadline := time.Now().Add(soon); (f > files || g > goroutines) && time.Now().Before(deadline); f, g = count() {
		runtime.Gosched()
	}
	if f > files || g > goroutines {
		t.Errorf("%d files and %d goroutines, before %d and %d", f, g, files, goroutines)
	}
}
