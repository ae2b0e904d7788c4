//go:build !race

package otlp

import "testing"

// TestTellingAllocatesNothing: what is told is copied into memory that is used again.
func TestTellingAllocatesNothing(t *testing.T) {
	s := &Sink{queue: make(chan *event, 1), meters: &meters{}}
	s.free.New = func() any { return new(event) }
	r := served("req_1", "run-1", "plan")
	c := course(r)
	s.Ended(r, c)
	if n := testing.AllocsPerRun(1000, func() { s.Ended(r, c) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if got := s.Stats(); got.Queued != 1 || got.Dropped != got.Told-1 {
		t.Errorf("%+v", got)
	}
}
