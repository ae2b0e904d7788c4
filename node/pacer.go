package node

import (
	"context"
	"fmt"
	"sync"
	"time"

	"purser/internal/forecast"
	"purser/ledger"
)

const (
	// paceEvery is how often accounts are looked at.
	paceEvery = 5 * time.Second
	// maxLooks bounds the accounts of one look; the next goes on where it ended.
	maxLooks = 20_000
	// maxRateTrips bounds what one look may trip.
	maxRateTrips = 16
	// surgeFloor is the part of its limit, in percent, that an account must usually
	// spend in an hour for a burst to be a surge.
	surgeFloor = 1
)

// pacer follows how fast the ledger's accounts are spent. Every member does, so that
// each can say and a new leader need not begin anew.
type pacer struct {
	mu      sync.Mutex
	tracker *forecast.Tracker
	next    ledger.AccountKey // of the one goroutine that looks
}

func newPacer() *pacer { return &pacer{tracker: forecast.New()} }

// keepPace looks at the accounts from time to time, until ctx is done. A gateway has
// none.
func (n *Node) keepPace(ctx context.Context) {
	if n.follower != nil {
		return
	}
	t := time.NewTicker(paceEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		surges := n.pacer.look(n.fsm.Ledger(), now())
		if n.raft.Leader() {
			n.tripBySurge(ctx, surges)
		}
	}
}

// surge is an account that is spent faster than its budget allows it to change.
type surge struct {
	scope ledger.Scope
	times float64
	rest  ledger.Instant
}

// look follows the accounts whose window is open, as many as one look may.
func (p *pacer) look(state *ledger.State, at ledger.Instant) (surges []surge) {
	p.mu.Lock()
	defer p.mu.Unlock()
	looks := 0
	var rule *ledger.Budget
	var trips []ledger.BreakerTrip
	first := p.next
	for v := range state.AccountsFrom(first) {
		if looks++; looks > maxLooks {
			p.next = v.Key
			break
		}
		if rule == nil || rule.ID != v.Key.Budget {
			rule, _ = state.Budget(v.Key.Budget)
			trips = state.Trips(v.Key.Budget)
		}
		if rule == nil || v.State != ledger.Open || v.Key.Start > at || v.Unit == ledger.Slots {
			continue
		}
		s := forecast.Series{Budget: v.Key.Budget, Split: v.Key.Split}
		p.tracker.Look(s, v.Key.Start, v.Spent, at)
		if rule.Breaker.RateTimes == 0 {
			continue
		}
		if t := covering(trips, v.Key.Split); t != nil {
			if t.Cause == ledger.ByRate {
				p.tracker.Restart(s, at)
			}
			continue
		}
		if times, ok := p.tracker.Surge(s, v.Limit/100*surgeFloor); ok && times > float64(rule.Breaker.RateTimes) && len(surges) < maxRateTrips {
			c := ledger.Scope{Budget: rule.ID, All: len(rule.Each) == 0, Split: v.Key.Split}
			surges = append(surges, surge{c, times, rule.Breaker.CoolDown})
		}
	}
	if looks <= maxLooks {
		p.next = ledger.AccountKey{}
		p.tracker.Forget(at)
	}
	return surges
}

// estimate is how fast an account is spent, for people.
func (p *pacer) estimate(k ledger.AccountKey, at ledger.Instant) (forecast.Estimate, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tracker.Estimate(forecast.Series{Budget: k.Budget, Split: k.Split}, at)
}

// tripBySurge opens the breakers of accounts that are spent too fast.
func (n *Node) tripBySurge(ctx context.Context, surges []surge) {
	for _, s := range surges {
		once, cancel := context.WithTimeout(ctx, changeWait)
		_, err := n.proposer.Propose(once, ledger.TripBudget{
			Scope: s.scope, Cause: ledger.ByRate, For: s.rest,
			Reason: fmt.Sprintf("it is spent %.1f times as fast as it was", s.times),
		})
		cancel()
		if err != nil {
			n.log.Warn("a budget that is spent too fast could not be tripped; trying again", "budget", scopeName(s.scope), "error", err)
			return
		}
	}
}
