package clock

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// program answers each line with what its clocks say.
const program = `package main

import (
	"bufio"
	"fmt"
	"os"
	"time"
)

func main() {
	start := time.Now()
	first := start.Round(0)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		t := time.Now()
		worst := time.Duration(0)
		for range 200_000 * len(lines.Text()) {
			n := time.Now()
			worst = max(worst, (n.Round(0).Sub(first) - n.Sub(start)).Abs())
		}
		fmt.Println(t.UnixNano(), int64(t.Sub(start)), int64(worst))
	}
}
`

var made string // by build; "" until then

var build = sync.OnceValues(func() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "purser-clock-"); err != nil {
		return "", err
	}
	made = dir
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", err
	}
	over, err := Files(strings.TrimSpace(string(root)))
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for path, text := range over {
		replace[path] = filepath.Join(dir, filepath.Base(path)+".txt")
		if err := os.WriteFile(replace[path], text, 0o600); err != nil {
			return "", err
		}
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	for name, text := range map[string]string{"main.go": program, "overlay.json": string(list)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	for _, args := range [][]string{
		{"build", "-overlay", "overlay.json", "-o", "wrong", "main.go"},
		{"build", "-o", "right", "main.go"},
	} {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%w: %s", err, out)
		}
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if made != "" {
		os.RemoveAll(made)
	}
	os.Exit(code)
}

// started is a running program and the time of its start.
type started struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Reader
}

func start(t *testing.T, name string, env ...string) *started {
	t.Helper()
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, name))
	cmd.Env, cmd.Stderr = append(os.Environ(), env...), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	return &started{t: t, in: in, out: bufio.NewReader(out)}
}

// reading is what the program's clocks said between two instants.
type reading struct {
	before, after time.Time
	wall          time.Time
	since         time.Duration // its start
	worst         time.Duration // of the wall clock against the monotonic one since its start
}

func (p *started) ask(question string) reading {
	p.t.Helper()
	r := reading{before: time.Now()}
	if _, err := fmt.Fprintln(p.in, question); err != nil {
		p.t.Fatal(err)
	}
	var wall int64
	if _, err := fmt.Fscanln(p.out, &wall, &r.since, &r.worst); err != nil {
		p.t.Fatal(err)
	}
	r.after, r.wall = time.Now(), time.Unix(0, wall)
	return r
}

// slack is what the true wall clock may be slewed by while a test runs.
const slack = time.Millisecond

// off checks that the program's wall clock was off by between least and most.
func (r reading) off(t *testing.T, least, most time.Duration) {
	t.Helper()
	if low, high := r.before.Add(least-slack), r.after.Add(most+slack); r.wall.Before(low) || r.wall.After(high) {
		t.Errorf("the clock shows %v, and is to be within %v and %v", r.wall, low, high)
	}
}

// elapsed checks that the monotonic clock has gone on by what has passed.
func (r reading) elapsed(t *testing.T, since reading) {
	t.Helper()
	least, most := r.before.Sub(since.after), r.after.Sub(since.before)
	if d := r.since - since.since; d < least-slack || d > most+slack {
		t.Errorf("the monotonic clock went on by %v, and is to be between %v and %v", d, least, most)
	}
}

func create(t *testing.T) *Clock {
	t.Helper()
	c, err := Create(filepath.Join(t.TempDir(), "clock"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestAClockJumpsAndItsMonotonicPartDoesNot(t *testing.T) {
	c := create(t)
	p := start(t, "wrong", c.Env())
	first := p.ask("")
	first.off(t, 0, 0)
	var offset time.Duration
	for _, d := range []time.Duration{time.Hour, -26 * time.Hour, 400 * 24 * time.Hour, -1500*time.Millisecond - 7} {
		c.Jump(d)
		offset += d
		if got := c.Offset(); got != offset {
			t.Errorf("the offset is said to be %v, and is %v", got, offset)
		}
		r := p.ask("")
		r.off(t, offset, offset)
		r.elapsed(t, first)
	}
	start(t, "wrong", c.Env()).ask("").off(t, offset, offset) // as does one that starts later
	c.Reset()
	p.ask("").off(t, 0, 0)
}

func TestAClockDriftsFromWhereItIs(t *testing.T) {
	c := create(t)
	p := start(t, "wrong", c.Env())
	first := p.ask("")
	c.Jump(-time.Minute)
	for _, ppm := range []int64{200_000, -300_000} {
		began := c.Offset()
		c.Drift(ppm)
		for gained := time.Duration(0); gained.Abs() < 10*time.Millisecond; gained = c.Offset() - began {
			least := c.Offset()
			r := p.ask("")
			most := c.Offset()
			r.off(t, min(least, most), max(least, most))
			r.elapsed(t, first)
		}
		c.Drift(0)
		gained := c.Offset() - began
		if c.Offset()-began != gained || gained.Abs() < 10*time.Millisecond || (gained > 0) != (ppm > 0) {
			t.Errorf("at %d ppm the clock gained %v, and then %v", ppm, gained, c.Offset()-began)
		}
		p.ask("").off(t, began+gained, began+gained)
	}
}

func TestAStrobedClockIsHereAndThere(t *testing.T) {
	c := create(t)
	p := start(t, "wrong", c.Env())
	c.Strobe(-time.Hour, time.Millisecond)
	seen := map[bool]bool{}
	for range 1_000_000 {
		r := p.ask("")
		back := r.wall.Before(r.before.Add(-time.Minute))
		if seen[back] = true; back {
			r.off(t, -time.Hour, -time.Hour)
		} else {
			r.off(t, 0, 0)
		}
		if len(seen) == 2 {
			break
		}
	}
	if len(seen) != 2 {
		t.Errorf("a million readings are all alike: back %v", seen)
	}
	c.Strobe(0, 0)
	p.ask("").off(t, 0, 0)
}

// TestAShiftIsReadAsAWhole: of each of the two shifts the parts add up to nothing,
// and of a mixture of them to an hour.
func TestAShiftIsReadAsAWhole(t *testing.T) {
	c := create(t)
	p := start(t, "wrong", c.Env())
	done := make(chan reading)
	go func() { done <- p.ask("xxxxx") }() // a million readings
	for {
		for range 1000 {
			c.change(func(s *shift, t int64) {
				*s = shift{offset: int64(time.Hour), swing: -int64(time.Hour), period: t / 3 * 2}
			})
			c.change(func(s *shift, _ int64) { *s = shift{} })
		}
		select {
		case r := <-done:
			if r.worst > time.Second {
				t.Errorf("a reading was off by %v", r.worst)
			}
			return
		default:
			runtime.Gosched()
		}
	}
}

func TestWithoutItsVariableOrItsBuildAClockIsTrue(t *testing.T) {
	c := create(t)
	c.Jump(time.Hour)
	start(t, "wrong").ask("").off(t, 0, 0)
	start(t, "right", c.Env()).ask("").off(t, 0, 0)
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	for name, has := range map[string]bool{"wrong": true, "right": false} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), Variable) != has {
			t.Errorf("the program %q has the variable: %v", name, !has)
		}
	}
}

func TestAClockThatCannotBeReadEndsTheProgram(t *testing.T) {
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"none":    nil,
		"empty":   {},
		"another": make([]byte, size),
		"later":   append([]byte(magic), make([]byte, size)...),
	} {
		path := filepath.Join(t.TempDir(), name)
		if text != nil {
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command(filepath.Join(dir, "wrong"))
		cmd.Env = append(os.Environ(), Variable+"="+path)
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), path) {
			t.Errorf("%s: it ended with %v and said: %s", name, err, out)
		}
	}
}
