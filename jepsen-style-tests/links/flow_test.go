package links

import (
	"testing"
	"time"
)

func TestARateSpacesPiecesAndMakesTheirSenderWait(t *testing.T) {
	f := NewFlow(1, 2)
	f.Set(func(s *State) { s.Rate = 1000 })
	now := time.Now()
	piece := make([]byte, 400)
	for i, want := range []struct{ due, wait time.Duration }{
		{400 * time.Millisecond, -600 * time.Millisecond},
		{800 * time.Millisecond, -200 * time.Millisecond},
		{1200 * time.Millisecond, 200 * time.Millisecond},
	} {
		p, wait := f.take(now, piece)
		if p.due.Sub(now) != want.due || wait != want.wait {
			t.Errorf("piece %d is due after %v, its sender waits %v", i, p.due.Sub(now), wait)
		}
	}
	if c := f.Counts(); c != (Counts{Pieces: 3, Bytes: 1200, Delayed: 3}) {
		t.Errorf("%+v", c)
	}
}

func TestJitterIsDrawnFromTheSeed(t *testing.T) {
	const delay, jitter = time.Second, 100 * time.Millisecond
	now := time.Now()
	draw := func(seed uint64) (dues [16]time.Duration) {
		f := NewFlow(seed, 2)
		f.Set(func(s *State) { s.Delay, s.Jitter = delay, jitter })
		for i := range dues {
			p, _ := f.take(now, []byte("x"))
			dues[i] = p.due.Sub(now)
			if dues[i] < delay || dues[i] >= delay+jitter {
				t.Errorf("due after %v", dues[i])
			}
		}
		return dues
	}
	if first, again, other := draw(1), draw(1), draw(2); first != again || first == other {
		t.Error("the seed does not decide")
	}
}

func TestAChangeLetsGoWhatWasDelayed(t *testing.T) {
	f := NewFlow(1, 2)
	f.Set(func(s *State) { s.Delay = time.Hour })
	p, _ := f.take(time.Now(), []byte("x"))
	if _, late, _ := f.look(p); late <= 0 {
		t.Error("it is not delayed")
	}
	f.Set(func(s *State) { s.Held = true })
	if held, late, _ := f.look(p); !held || late > 0 {
		t.Errorf("held: %v, for %v", held, late)
	}
	f.Set(func(s *State) { *s = State{} })
	if held, late, _ := f.look(p); held || late > 0 {
		t.Errorf("held: %v, for %v", held, late)
	}
}
