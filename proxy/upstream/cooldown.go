package upstream

import (
	"sync"
	"time"
)

// maxCooldowns bounds the table, like that of breakers: models are named by clients.
const maxCooldowns = 4096

// Cooldowns knows which credentials are to be passed over for a while, because the
// upstream has refused them or limits them. A breaker does not: it counts failures of
// the upstream, and these are answers. It is safe for concurrent use.
type Cooldowns struct {
	limit int

	mu    sync.Mutex
	until map[BreakerKey]time.Time
}

// NewCooldowns makes an empty table.
func NewCooldowns() *Cooldowns {
	return &Cooldowns{limit: maxCooldowns, until: map[BreakerKey]time.Time{}}
}

// Rest has a credential passed over until now+d: for a model, or for all with a key
// whose Model is empty. A longer rest stays.
func (c *Cooldowns) Rest(now time.Time, k BreakerKey, d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.until[k]; !known && len(c.until) >= c.limit {
		c.forgetLocked(now)
	}
	if end := now.Add(d); end.After(c.until[k]) {
		c.until[k] = end
	}
}

// forgetLocked makes room: what is over goes, or else any one, whose credential is
// then asked too early.
func (c *Cooldowns) forgetLocked(now time.Time) {
	for k, end := range c.until {
		if !now.Before(end) {
			delete(c.until, k)
		}
	}
	for k := range c.until {
		if len(c.until) < c.limit {
			return
		}
		delete(c.until, k)
	}
}

// Resting is how long the credential is still to be passed over for the model; 0
// when it is not.
func (c *Cooldowns) Resting(now time.Time, k BreakerKey) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := c.until[k].Sub(now)
	k.Model = ""
	return max(left, c.until[k].Sub(now), 0)
}
