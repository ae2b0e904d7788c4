package node

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"purser/internal/purse"
)

// TestANodeThatIsNotUpToDateAdmitsNothing: the leader may answer a node whose own
// log has stopped. What it knows of keys and budgets is then old, however rich it is.
func TestANodeThatIsNotUpToDateAdmitsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ttl = time.Minute
		var fails, hangs atomic.Bool
		c := &currency{ttl: ttl, confirm: func(ctx context.Context) error {
			if hangs.Load() {
				<-ctx.Done()
			}
			if fails.Load() {
				return errors.New("no quorum")
			}
			return ctx.Err()
		}}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); c.watch(ctx) }()
		pass := func(d time.Duration) { time.Sleep(d); synctest.Wait() } // virtual time

		pass(10 * ttl)
		if err := c.err(); err != nil {
			t.Fatalf("up to date all along: %v", err)
		}
		for _, fault := range []*atomic.Bool{&fails, &hangs} {
			pass(ttl/confirmations + time.Millisecond) // just confirmed
			fault.Store(true)
			pass(ttl - 2*ttl/confirmations)
			if err := c.err(); err != nil {
				t.Errorf("before the time is over: %v", err)
			}
			pass(2 * ttl / confirmations)
			if err := c.err(); !errors.Is(err, purse.ErrNoAuthority) {
				t.Errorf("after the time is over: %v", err)
			}
			fault.Store(false)
			pass(ttl + ttl/confirmations)
			if err := c.err(); err != nil {
				t.Errorf("up to date again: %v", err)
			}
		}
		stop()
		<-ended
	})
}
