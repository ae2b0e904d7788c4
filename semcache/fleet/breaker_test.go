package fleet

import (
	"testing"
	"time"
)

// Many requests that wait for a node at once, and fail at once, are one failure of it:
// it is asked again after the first pause, not after the longest.
func TestFailuresAtOnceMakeOnePause(t *testing.T) {
	var b breaker
	now := time.Now()
	for range 100 {
		if !b.allows(now) {
			t.Fatal("not asked before it failed")
		}
	}
	for i := range 100 {
		b.failed(now.Add(time.Duration(i) * time.Millisecond))
	}
	now = now.Add(100 * time.Millisecond)
	if b.allows(now) || !b.open(now) {
		t.Error("it is asked at once")
	}
	for pause := pauseLeast; ; pause = min(2*pause, pauseMost) {
		if now = now.Add(pause); !b.allows(now) {
			t.Fatalf("not asked after a pause of %v", pause)
		}
		if b.allows(now) {
			t.Error("asked by two before it answers")
		}
		b.failed(now)
		if b.allows(now.Add(pause - 1)) {
			t.Errorf("asked too soon after another failure")
		}
		if pause == pauseMost {
			break
		}
	}
	b.succeeded()
	if !b.allows(now) || b.open(now) {
		t.Error("not asked though it answers")
	}
}
