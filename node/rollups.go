package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"purser/internal/usage"
	"purser/ledger"
)

// rollEvery is how often usage is rolled up: a question reads the records since one by one.
const rollEvery = 10 * time.Second

// rollRest leaves three quarters of one core to requests when usage is behind, as it is after
// an upgrade.
const rollRest = 3

// rollUsage rolls up the usage records of this node and the copies of other nodes', and
// drops what is older than it is to be kept, until ctx ends.
func (n *Node) rollUsage(ctx context.Context) {
	roll, retain := time.NewTicker(rollEvery), time.NewTicker(retainEvery)
	defer roll.Stop()
	defer retain.Stop()
	rollers := map[usage.Shelf]*usage.Roller{}
	failed := ""
	for {
		work := func(x *usage.Roller) error { return x.Roll(ctx, now()) }
		select {
		case <-ctx.Done():
			return
		case <-roll.C:
		case <-retain.C:
			keep := n.cfg.Usage.keep()
			work = func(x *usage.Roller) error { return x.Retain(ctx, keep, now()) }
		}
		err := n.eachShelf(rollers, work)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			failed = ""
		case err.Error() != failed: // once, not every time
			failed = err.Error()
			n.log.Error("usage could not be rolled up; questions read its records instead, and none are dropped", "error", err)
		}
	}
}

// eachShelf has the roller of every shelf work. What goes wrong with one keeps no other.
func (n *Node) eachShelf(rollers map[usage.Shelf]*usage.Roller, work func(*usage.Roller) error) error {
	copies, err := n.usage.Shelves()
	for _, s := range append([]usage.Shelf{usage.Own}, copies...) {
		if rollers[s] == nil {
			rollers[s] = n.usage.Roller(s)
			rollers[s].Rest = rollRest
		}
		if failed := work(rollers[s]); failed != nil {
			err = errors.Join(err, fmt.Errorf("usage of %q: %w", s, failed))
		}
	}
	return err
}

// keep is the configuration as the rollers take it.
func (c *UsageConfig) keep() usage.Retention {
	return usage.Retention{
		Records: ledger.Instant(c.Retention), Minutes: ledger.Instant(c.Minutes), Hours: ledger.Instant(c.Hours), Days: ledger.Instant(c.Days),
	}
}
