package raftfsm

import (
	"context"
	"time"

	"purser/ledger"
)

// Sweep lets ledger time pass while nothing else is proposed: it proposes a
// Tick whenever the last entry's stamp is older than every, as long as leading
// says so. It returns when ctx is done; the caller owns the goroutine.
//
// A Tick that fails is not reported: the next one does its work, and what keeps
// ticks from the log shows in every other proposal.
func (p *Proposer) Sweep(ctx context.Context, every time.Duration, leading func() bool) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if leading() && p.stamper.clock.Wall()-p.fsm.Now() >= ledger.Instant(every) {
			_, _ = p.Propose(ctx, ledger.Tick{})
		}
	}
}
