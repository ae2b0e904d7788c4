package links

import (
	"bufio"
	"io"
	"net"
	"testing"
	"time"
)

// echo listens and sends back what it is sent.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
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
			go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
		}
	}()
	return l.Addr().String()
}

func mesh(t *testing.T) *Mesh {
	t.Helper()
	m, err := New("a", "b")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	m.Place("b", echo(t))
	return m
}

// line is a connection from a to b.
type line struct {
	net.Conn
	*bufio.Reader
}

func (l line) Read(b []byte) (int, error) { return l.Reader.Read(b) }

func dial(t *testing.T, m *Mesh) line {
	t.Helper()
	c, err := net.Dial("tcp", m.Address("a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return line{c, bufio.NewReader(c)}
}

// hears sends a word and says whether it comes back within a time.
func (l line) hears(t *testing.T, word string, within time.Duration) bool {
	t.Helper()
	if _, err := l.Write([]byte(word + "\n")); err != nil {
		return false
	}
	return l.gets(t, word, within)
}

func (l line) gets(t *testing.T, word string, within time.Duration) bool {
	t.Helper()
	if err := l.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	got, err := l.ReadString('\n')
	return err == nil && got == word+"\n"
}

const (
	soon  = 10 * time.Second
	never = 100 * time.Millisecond
)

func TestBytesPass(t *testing.T) {
	m := mesh(t)
	l := dial(t, m)
	for range 3 {
		if !l.hears(t, "word", soon) {
			t.Fatal("nothing came back")
		}
	}
}

func TestHeldBytesArriveLater(t *testing.T) {
	for _, p := range []pair{{"a", "b"}, {"b", "a"}} {
		m := mesh(t)
		l := dial(t, m)
		if !l.hears(t, "before", soon) {
			t.Fatal("nothing came back")
		}
		m.Hold(p.from, p.to, true)
		if l.hears(t, "held", never) {
			t.Errorf("bytes passed while %v was held", p)
		}
		m.Hold(p.from, p.to, false)
		if !l.gets(t, "held", soon) {
			t.Errorf("what %v held was lost", p)
		}
	}
}

func TestCutLinksBreakAndRefuse(t *testing.T) {
	m := mesh(t)
	l := dial(t, m)
	if !l.hears(t, "before", soon) {
		t.Fatal("nothing came back")
	}
	m.Cut("a", "b", true)
	if _, err := l.ReadString('\n'); err == nil {
		t.Error("the connection was not broken off")
	}
	if dial(t, m).hears(t, "cut", soon) {
		t.Error("a new connection got through")
	}
	m.Heal()
	if !dial(t, m).hears(t, "healed", soon) {
		t.Error("nothing got through after the heal")
	}
}

func TestSlowLinksDelay(t *testing.T) {
	m := mesh(t)
	l := dial(t, m)
	const by = 150 * time.Millisecond
	m.Slow("a", "b", by)
	began := time.Now()
	if !l.hears(t, "slow", soon) {
		t.Fatal("nothing came back")
	}
	if took := time.Since(began); took < by {
		t.Errorf("it took %v", took)
	}
}

func TestADroppedNodeLosesItsConnections(t *testing.T) {
	m := mesh(t)
	l := dial(t, m)
	if !l.hears(t, "before", soon) {
		t.Fatal("nothing came back")
	}
	m.Place("b", "")
	m.Drop("b")
	if _, err := l.ReadString('\n'); err == nil {
		t.Error("the connection outlived its node")
	}
	if dial(t, m).hears(t, "dead", soon) {
		t.Error("a dead node answered")
	}
	m.Place("b", echo(t))
	if !dial(t, m).hears(t, "back", soon) {
		t.Error("a node that came back is not reached")
	}
}
