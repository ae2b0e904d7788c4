package upstream

import (
	"fmt"
	"testing"
	"time"
)

func TestCooldowns(t *testing.T) {
	c, at := NewCooldowns(), time.Unix(1_000_000, 0)
	one := BreakerKey{"u", "a", "m"}
	other, all := BreakerKey{"u", "a", "n"}, BreakerKey{"u", "a", ""}
	c.Rest(at, one, 10*time.Second)
	c.Rest(at, one, 2*time.Second) // the longer one stays
	if got := c.Resting(at.Add(4*time.Second), one); got != 6*time.Second {
		t.Errorf("it rests for %v", got)
	}
	if c.Resting(at, other) != 0 || c.Resting(at, BreakerKey{"u", "b", "m"}) != 0 || c.Resting(at, BreakerKey{"v", "a", "m"}) != 0 {
		t.Error("another model, credential or upstream rests")
	}
	if c.Resting(at.Add(10*time.Second), one) != 0 {
		t.Error("it rests after its time")
	}
	c.Rest(at, all, time.Minute)
	if c.Resting(at, one) != time.Minute || c.Resting(at, other) != time.Minute {
		t.Error("a rest for all models is not one for each")
	}
}

func TestCooldownsAreBounded(t *testing.T) {
	c, at := NewCooldowns(), time.Unix(1_000_000, 0)
	c.limit = 8
	for i := range 100 {
		c.Rest(at, BreakerKey{"u", "a", fmt.Sprint(i)}, time.Minute)
		if len(c.until) > 8 || c.Resting(at, BreakerKey{"u", "a", fmt.Sprint(i)}) == 0 {
			t.Fatalf("after %d: %d", i, len(c.until))
		}
	}
	late := at.Add(time.Hour)
	c.Rest(late, BreakerKey{"u", "b", "m"}, time.Minute)
	if len(c.until) != 1 {
		t.Errorf("what is over is kept: %d", len(c.until))
	}
}
