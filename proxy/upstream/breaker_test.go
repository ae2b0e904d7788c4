package upstream

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var breakerConfig = BreakerConfig{
	Window: 10 * time.Second, MinResults: 4, FailPercent: 50,
	Open: time.Second, MaxOpen: 4 * time.Second, Probes: 2, ProbeLimit: 5 * time.Second,
}

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// story runs a breaker through a script: "." success, "x" failure, "~" an
// abandoned attempt, "+N" lets N milliseconds pass, "?" an attempt without a
// result, and a state's name checks it. A refused attempt writes "!".
func story(t *testing.T, script string) {
	t.Helper()
	b, now, out := NewBreaker(breakerConfig), noon, ""
	for word := range strings.FieldsSeq(script) {
		switch {
		case word[0] == '+':
			var ms int
			_, _ = fmt.Sscanf(word, "+%d", &ms)
			now = now.Add(time.Duration(ms) * time.Millisecond)
		case strings.Contains(".x~?!", word[:1]):
			for _, r := range word {
				ticket, wait, ok := b.Allow(now)
				if ok == (r == '!') || !ok && wait <= 0 {
					t.Fatalf("%s: %q admitted %v, wait %s, after %s", script, r, ok, wait, out)
				}
				switch r {
				case '.':
					b.Report(now, ticket, Succeeded)
				case 'x':
					b.Report(now, ticket, Failed)
				case '~':
					b.Report(now, ticket, Abandoned)
				}
			}
		default:
			if got := b.State(now).String(); got != word {
				t.Fatalf("%s: is %s, want %s, after %s", script, got, word, out)
			}
		}
		out += " " + word
	}
}

func TestBreakerStories(t *testing.T) {
	for name, script := range map[string]string{
		"too few results to judge":            "xxx closed",
		"half of enough":                      "..x closed x open !!",
		"less than half":                      "......x.x.x closed",
		"a failure among many":                ".................xx closed",
		"old failures are forgotten":          "xxx +11000 x closed xxx open",
		"failures trickle in within a window": "x +3000 x +3000 x +3000 x open",
		"and outside it":                      "x +4000 x +4000 x +4000 x closed",
		"probes close it again":               "xxxx open +999 ! +1 half_open . half_open . closed xxx closed x open",
		"a failed probe waits longer":         "xxxx +1000 x open +1999 ! +1 half_open x open +3999 ! +1 x open +3999 ! +1 half_open",
		"success resets the waits":            "xxxx +1000 x +2000 .. closed xxxx open +1000 half_open",
		"one probe at a time":                 "xxxx +1000 ? !! +4999 ! +1 .. closed",
		"hang-ups never open it":              "~~~~~~~~~~~~~~~~~~~~ closed",
		"hang-ups do not dilute failures":     "~~~~~~~~xxxx open",
		"a hang-up frees the probe's place":   "xxxx +1000 ~~~~ half_open .. closed",
	} {
		t.Run(name, func(t *testing.T) { story(t, script) })
	}
}

func TestResultsOfAnotherEraSayNothing(t *testing.T) {
	b := NewBreaker(breakerConfig)
	old, _, _ := b.Allow(noon)
	for range 4 {
		ticket, _, _ := b.Allow(noon)
		b.Report(noon, ticket, Failed)
	}
	later := noon.Add(time.Second)
	probe, _, ok := b.Allow(later)
	if !ok {
		t.Fatal("no probe")
	}
	b.Report(later, old, Failed) // began before the opening
	if b.State(later) != HalfOpen {
		t.Fatal("a late failure decided")
	}
	b.Report(later, probe, Succeeded)
	b.Report(later, probe, Succeeded) // reported twice by mistake: counts, but cannot do more than close
	if s := b.State(later); s != Closed {
		t.Fatal(s)
	}
	b.Report(later, probe, Failed)
	if b.State(later) != Closed {
		t.Fatal("an old probe decided")
	}
}

func TestBreakerNeverGetsStuck(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, now := NewBreaker(breakerConfig), noon
		var out []Ticket
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(3*time.Second)).Draw(t, "pass")))
			if rapid.Bool().Draw(t, "ask") {
				if ticket, wait, ok := b.Allow(now); ok {
					out = append(out, ticket)
				} else if wait <= 0 || wait > max(breakerConfig.MaxOpen, breakerConfig.ProbeLimit) {
					t.Fatalf("refused for %s", wait)
				}
			} else if len(out) > 0 {
				i := rapid.IntRange(0, len(out)-1).Draw(t, "which")
				b.Report(now, out[i], Result(rapid.IntRange(0, 2).Draw(t, "result")))
				out = append(out[:i], out[i+1:]...)
			}
		}
		// Whatever happened, a healthy upstream is back in use within the longest waits.
		for range 2 * breakerConfig.Probes {
			now = now.Add(max(breakerConfig.MaxOpen, breakerConfig.ProbeLimit))
			ticket, _, ok := b.Allow(now)
			if !ok {
				t.Fatal("stuck")
			}
			b.Report(now, ticket, Succeeded)
		}
		if b.State(now) != Closed {
			t.Fatal("stuck", b.State(now))
		}
	})
}

func TestJudge(t *testing.T) {
	for _, tc := range []struct {
		status int
		f      *Failure
		want   Result
	}{
		{200, nil, Succeeded}, {400, nil, Succeeded}, {401, nil, Succeeded}, {408, nil, Succeeded}, {429, nil, Succeeded},
		{500, nil, Failed}, {503, nil, Failed}, {529, nil, Failed},
		{0, &Failure{Phase: PhaseConnect, Err: ErrTimeout, Timeout: true}, Failed},
		{0, &Failure{Phase: PhaseFirstByte, Sent: true, Err: ErrHungUp}, Failed},
		{0, &Failure{Phase: PhaseBody, Sent: true, Err: ErrTruncated}, Failed},
		{0, &Failure{Phase: PhaseWait, Err: ErrBusy}, Abandoned},
		{0, &Failure{Phase: PhaseStart, Err: ErrBadRequest}, Abandoned},
		{0, &Failure{Phase: PhaseBody, Sent: true, Err: ErrClosed}, Abandoned},
		{0, &Failure{Phase: PhaseBody, Sent: true, Err: ErrTooLarge}, Abandoned},
	} {
		if got := Judge(tc.status, tc.f); got != tc.want {
			t.Errorf("%d %v: %d", tc.status, tc.f, got)
		}
	}
}

func TestBreakerConfigValidate(t *testing.T) {
	if err := DefaultBreaker().Validate(); err != nil {
		t.Error(err)
	}
	for i, change := range []func(*BreakerConfig){
		func(c *BreakerConfig) { c.Window = 0 }, func(c *BreakerConfig) { c.MinResults = 0 }, func(c *BreakerConfig) { c.Probes = 0 },
		func(c *BreakerConfig) { c.FailPercent = 0 }, func(c *BreakerConfig) { c.FailPercent = 101 }, func(c *BreakerConfig) { c.Open = 0 },
		func(c *BreakerConfig) { c.MaxOpen = 0 }, func(c *BreakerConfig) { c.ProbeLimit = 0 },
	} {
		c := DefaultBreaker()
		if change(&c); c.Validate() == nil {
			t.Errorf("%d passes", i)
		}
	}
}

func TestBreakersAreApartAndBounded(t *testing.T) {
	s := NewBreakers(breakerConfig)
	s.limit = 8
	down := BreakerKey{"openai", "key-1", "gpt"}
	for range 4 {
		p, _, _ := s.Allow(noon, down)
		p.Report(noon, Failed)
	}
	if _, _, ok := s.Allow(noon, down); ok {
		t.Error("open breaker admits")
	}
	for _, k := range []BreakerKey{{"openai", "key-2", "gpt"}, {"openai", "key-1", "other"}, {"azure", "key-1", "gpt"}} {
		if _, _, ok := s.Allow(noon, k); !ok {
			t.Error("another breaker is open")
		}
	}
	for i := range 100 {
		s.Allow(noon.Add(time.Duration(i)), BreakerKey{"openai", "key-1", fmt.Sprint(i)})
	}
	n := 0
	s.Each(noon, func(BreakerKey, State) { n++ })
	if n > 8 {
		t.Errorf("%d breakers", n)
	}
}

func TestBreakersConcurrently(t *testing.T) {
	s := NewBreakers(breakerConfig)
	s.limit = 4
	var tasks sync.WaitGroup
	for g := range 8 {
		tasks.Go(func() {
			for i := range 500 {
				k := BreakerKey{"u", "c", fmt.Sprint((g + i) % 6)}
				if p, _, ok := s.Allow(noon.Add(time.Duration(i)*time.Millisecond), k); ok {
					p.Report(noon.Add(time.Duration(i)*time.Millisecond), Result((g+i)%3))
				}
				if i%100 == 0 {
					s.Each(noon.Add(time.Second), func(BreakerKey, State) {})
				}
			}
		})
	}
	tasks.Wait()
}

func BenchmarkBreaker(b *testing.B) {
	s := NewBreakers(DefaultBreaker())
	k := BreakerKey{"openai", "key-1", "gpt"}
	b.ReportAllocs()
	for b.Loop() {
		p, _, _ := s.Allow(noon, k)
		p.Report(noon, Succeeded)
	}
}
