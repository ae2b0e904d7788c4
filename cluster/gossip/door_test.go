package gossip

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"
)

// TestStreamsAreBounded: strangers who know the label can hold no more than so many
// streams, and those of this cluster get through when they let go.
func TestStreamsAreBounded(t *testing.T) {
	a := start(t, config("a"))
	var held []net.Conn
	closed := 0
	for range 2 * maxStreams {
		c, err := net.Dial("tcp", a.Address())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		held = append(held, c)
	}
	for _, c := range held {
		if err := c.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); !isTimeout(err) {
			closed++
		}
	}
	if closed < maxStreams {
		t.Errorf("%d of %d streams were closed", closed, len(held))
	}
	for _, c := range held {
		_ = c.Close()
	}
	b := start(t, config("b"))
	eventually(t, "b joins", func() error {
		_, err := b.Join([]string{a.Address()})
		return err
	})
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// TestAStreamEndsAtItsLimit: what it read by then is all that it may take.
func TestAStreamEndsAtItsLimit(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	d := &door{open: map[*stream]bool{}, ctx: t.Context()}
	s := d.track(near, func() {})
	s.left = 10
	go func() { _, _ = far.Write(make([]byte, 20)); _ = far.Close() }()
	b, err := io.ReadAll(s)
	if len(b) != 10 || !errors.Is(err, errTooLong) {
		t.Errorf("read %d bytes, %v", len(b), err)
	}
	if err := s.Close(); err != nil || len(d.open) != 0 {
		t.Errorf("after Close: %v, %d open", err, len(d.open))
	}
}

// TestCloseBreaksOffAJoin that a silent listener would keep waiting.
func TestCloseBreaksOffAJoin(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	p := start(t, config("a"))
	joined := make(chan error, 1)
	go func() {
		_, err := p.Join([]string{silent.Addr().String()})
		joined <- err
	}()
	c, err := silent.Accept() // now it waits for an answer
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-joined:
		if err == nil {
			t.Error("joined nobody")
		}
	case <-time.After(p.library.TCPTimeout / 2):
		t.Error("Close did not end it")
	}
}

func TestTableIsBounded(t *testing.T) {
	now := time.Unix(1, 0)
	tb := table{rows: map[string]*row{}}
	for i := range MaxMembers {
		tb.put(fmt.Sprint("n", i), "x:1", &record{}, now.Add(time.Duration(i)))
	}
	if err := tb.room("one more"); !errors.Is(err, errFull) {
		t.Errorf("room for one more: %v", err)
	}
	if err := tb.room("n0"); err != nil {
		t.Errorf("no room for who is there: %v", err)
	}
	tb.gone("n9")
	tb.gone("n5")
	if err := tb.room("one more"); err != nil {
		t.Errorf("no room although one is gone: %v", err)
	}
	tb.put("one more", "x:1", &record{}, now)
	if tb.rows["n5"] != nil || tb.rows["n9"] == nil || len(tb.rows) != MaxMembers {
		t.Errorf("%d rows, or the wrong one was given up", len(tb.rows))
	}
}

func TestConflictsAreForgotten(t *testing.T) {
	now := time.Unix(1, 0)
	tb := table{rows: map[string]*row{}}
	tb.put("a", "x:1", &record{}, now)
	tb.conflict("a", "y:1", now)
	if m := tb.list(now.Add(conflictLife), time.Hour)[0]; m.Conflict != "y:1" {
		t.Errorf("%+v", m)
	}
	if m := tb.list(now.Add(conflictLife+1), time.Hour)[0]; m.Conflict != "" {
		t.Errorf("%+v", m)
	}
}

// TestWarningsAreBounded: who sends us rubbish does not fill the log.
func TestWarningsAreBounded(t *testing.T) {
	var out bytes.Buffer
	l := lines{log: slog.New(slog.NewTextHandler(&out, nil))}
	now := time.Unix(1, 0)
	written := 0
	for range 3 * maxWarnings {
		if l.may(now) {
			written++
		}
	}
	if written != maxWarnings {
		t.Errorf("%d in a minute", written)
	}
	if !l.may(now.Add(time.Minute)) || !strings.Contains(out.String(), fmt.Sprint("messages=", 2*maxWarnings)) {
		t.Errorf("the next minute: %s", out.String())
	}
}

func TestMessagesKeepTheirLevel(t *testing.T) {
	for in, want := range map[string]string{
		"[ERR] memberlist: a: b":    "WARN a: b",
		"[ERROR] memberlist: a":     "WARN a",
		"[WARN] memberlist: a":      "WARN a",
		"[INFO] memberlist: a [b] ": "INFO a [b] ",
		"[DEBUG] memberlist: a":     "DEBUG a",
		"Err: a":                    "DEBUG Err: a",
		"":                          "DEBUG ",
	} {
		if level, text := split(in); level.String()+" "+text != want {
			t.Errorf("%q: %s %q", in, level, text)
		}
	}
	if _, text := split(strings.Repeat("é", maxMessage)); len(text) > maxMessage+len("…") {
		t.Errorf("%d bytes", len(text))
	}
}
