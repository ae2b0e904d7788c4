//go:build linux

package netlab

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"syscall"
	"testing"
	"time"
)

const (
	soon  = 10 * time.Second
	never = 200 * time.Millisecond
)

// inModes runs a test in each mode that the machine allows.
func inModes(t *testing.T, test func(*testing.T, *Lab)) {
	for _, m := range []Mode{Namespaces, Loopback} {
		t.Run(m.String(), func(t *testing.T) { test(t, open(t, m)) })
	}
}

// open opens a lab of a mode, or skips the test where the machine does not allow
// it.
func open(t *testing.T, m Mode) *Lab {
	t.Helper()
	l, err := Open(Options{Mode: m, Seed: 1, Log: t.Logf})
	if m == Namespaces && forbidden(err) {
		t.Skipf("no namespaces here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return l
}

// forbidden says whether the machine is why there is no lab: no rights, no device, a
// kernel without them.
func forbidden(err error) bool {
	for _, reason := range []error{fs.ErrPermission, fs.ErrNotExist, errors.ErrUnsupported, syscall.ENODEV} {
		if errors.Is(err, reason) {
			return true
		}
	}
	return false
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

// echoing is a connection from a host a to an echo on a host b, on which something
// came back.
func echoing(t *testing.T, l *Lab) line {
	t.Helper()
	c, err := dial(t, host(t, l, "a"), serve(t, host(t, l, "b"), 8080, echo), soon)
	if err != nil {
		t.Fatal(err)
	}
	c.says(t, "before")
	if !c.gets(t, "before", soon) {
		t.Fatal("nothing came back")
	}
	return c
}

// await waits for a condition.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(soon); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
