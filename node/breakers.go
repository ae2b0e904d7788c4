package node

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"purser/internal/purse"
	"purser/ledger"
)

// breakers are the circuit breakers of budgets as this node goes by them. Which are
// open is the ledger's word; here requests are refused, and probes let through one
// at a time.
type breakers struct {
	events  Events
	trips   atomic.Pointer[map[ledger.BudgetID][]ledger.BreakerTrip] // not closed; by budget, then scope
	reports chan ledger.Probed

	mu      sync.Mutex
	probing map[ledger.Scope]bool // a probe is under way
	spent   map[ledger.AccountKey]spentOut
}

// spentOut is an account that refused a request here for good.
type spentOut struct {
	since  ledger.Instant
	last   ledger.Instant // when it last refused one
	needed ledger.Amount  // the smallest hold that did not fit
	limit  ledger.Amount  // then
	end    ledger.Instant // of the window

	asked, gone, held ledger.Amount // of the last refusal: what was asked for, and what was spent and held
}

// reportedBy is how soon the ledger knows of what was spent: before that it may show
// more to be left than there is.
const reportedBy = 5 * ledger.Second

const (
	// maxReports bounds the probes whose end waits to be told; of more the ledger does
	// not hear, and others are let through in their place.
	maxReports = 256
	// maxSpentOut bounds the accounts that are remembered as spent.
	maxSpentOut = 4096
)

func newBreakers(e Events) *breakers {
	b := &breakers{
		events: e, reports: make(chan ledger.Probed, maxReports),
		probing: map[ledger.Scope]bool{}, spent: map[ledger.AccountKey]spentOut{},
	}
	b.trips.Store(&map[ledger.BudgetID][]ledger.BreakerTrip{})
	return b
}

// swap puts another set in place, and tells what changed.
func (b *breakers) swap(trips map[ledger.BudgetID][]ledger.BreakerTrip) {
	before := *b.trips.Swap(&trips)
	for id, list := range trips {
		for _, t := range list {
			if was, ok := tripOf(before[id], t.Scope); !ok || was.Serial != t.Serial {
				b.tell(t.Scope, t.State.String(), t.Cause.String(), t.Reason)
			}
		}
	}
	for id, list := range before {
		for _, t := range list {
			if _, ok := tripOf(trips[id], t.Scope); !ok {
				b.tell(t.Scope, "closed", t.Cause.String(), t.Reason)
			}
		}
	}
}

func (b *breakers) tell(c ledger.Scope, state, cause, reason string) {
	b.events.Raise("budget_breaker", scopeName(c), map[string]string{"state": state, "cause": cause, "reason": reason})
}

// tripOf finds the trip of exactly a scope.
func tripOf(list []ledger.BreakerTrip, c ledger.Scope) (ledger.BreakerTrip, bool) {
	i := slices.IndexFunc(list, func(t ledger.BreakerTrip) bool { return t.Scope == c })
	if i < 0 {
		return ledger.BreakerTrip{}, false
	}
	return list[i], true
}

// covering is the trip that an account goes by: an open one before one that is half
// open.
func covering(list []ledger.BreakerTrip, split ledger.Split) *ledger.BreakerTrip {
	var found *ledger.BreakerTrip
	for i := range list {
		if t := &list[i]; t.Scope.Covers(split) && (found == nil || t.State == ledger.Tripped) {
			found = t
		}
	}
	return found
}

// probe is a request that a half-open breaker let through.
type probe struct {
	scope  ledger.Scope
	serial uint32
	ended  bool // it was settled
	bad    bool // and was billed beyond its hold
}

// enter says which breaker refuses the request of a chain, or of which half-open
// ones it is the probe from now on, until leave. It takes no lock while every
// breaker is closed.
func (b *breakers) enter(c *purse.Chain, probes []probe) (*ledger.BreakerTrip, []probe) {
	trips := *b.trips.Load()
	if len(trips) == 0 {
		return nil, probes
	}
	var stop *ledger.BreakerTrip
	for _, part := range [...]*purse.Part{&c.Limits, &c.Money} {
		part.Accounts(func(id ledger.BudgetID, split ledger.Split) bool {
			t := covering(trips[id], split)
			switch {
			case t == nil:
			case t.State == ledger.Tripped || !b.begin(t.Scope):
				stop = t
			default:
				probes = append(probes, probe{scope: t.Scope, serial: t.Serial})
			}
			return stop == nil
		})
		if stop != nil {
			b.leave(probes)
			return stop, probes[:0]
		}
	}
	return nil, probes
}

// begin takes the place of the one probe that is under way on this node.
func (b *breakers) begin(c ledger.Scope) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.probing[c] {
		return false
	}
	b.probing[c] = true
	return true
}

// leave ends a request's probes, and has those told that were settled. Of a request
// that was refused, or answered from a cache, nothing can be said.
func (b *breakers) leave(probes []probe) {
	if len(probes) == 0 {
		return
	}
	b.mu.Lock()
	for _, p := range probes {
		delete(b.probing, p.scope)
	}
	b.mu.Unlock()
	for _, p := range probes {
		if !p.ended {
			continue
		}
		select {
		case b.reports <- ledger.Probed{Scope: p.scope, Serial: p.serial, Good: !p.bad}:
		default:
		}
	}
}

// settleProbes notes how a probe's charges ended.
func settleProbes(probes []probe, charges []purse.Charge) {
	for i := range probes {
		p := &probes[i]
		for j := range charges {
			if c := &charges[j]; c.Account.Budget == p.scope.Budget && p.scope.Covers(c.Account.Split) {
				p.ended, p.bad = true, p.bad || c.Spent > c.Held
			}
		}
	}
}

// refused notes an account that a request did not fit into, whatever comes back.
func (b *breakers) refused(r *purse.Refusal) {
	if r.Code != purse.Exhausted {
		return
	}
	at := now()
	b.mu.Lock()
	was, known := b.spent[r.Account]
	if !known && len(b.spent) >= maxSpentOut {
		for k, x := range b.spent {
			if x.end <= at {
				delete(b.spent, k)
			}
		}
	}
	if known || len(b.spent) < maxSpentOut {
		if !known {
			was = spentOut{since: at, needed: r.Hold, end: r.ResetsAt}
		}
		was.last, was.limit, was.needed = at, r.Limit, min(was.needed, r.Hold)
		was.asked, was.gone, was.held = r.Hold, r.Spent, r.Held
		b.spent[r.Account] = was
	}
	b.mu.Unlock()
	if !known {
		c := ledger.Scope{Budget: r.Budget, All: r.Account.Split == "", Split: r.Account.Split}
		b.events.Raise("budget_exhausted", scopeName(c), map[string]string{"limit": limitText(r.Limit, r.Unit), "unit": r.Unit.String()})
	}
}

// exhausted says whether an account has no room for what was asked of it, and what that
// was; the zero spentOut where it has not been asked here. What it has got since ends it.
func (b *breakers) exhausted(v ledger.AccountView, at ledger.Instant) (x spentOut, yes bool) {
	left := max(0, v.Available) + v.Outstanding
	b.mu.Lock()
	defer b.mu.Unlock()
	x, known := b.spent[v.Key]
	if known && (v.Limit > x.limit || left >= x.needed && at-x.last > reportedBy) {
		delete(b.spent, v.Key)
		x, known = spentOut{}, false
	}
	return x, known || left == 0
}

// reason says for people why the account refuses.
func (x spentOut) reason(v ledger.AccountView) string {
	const text = "what is left of the limit has no room for what was asked"
	if x.needed == 0 {
		return text
	}
	return fmt.Sprintf("%s: the last request that was refused here, at %s, needed %s %s, when %s of %s was spent and %s held by others", text,
		timeText(x.last), limitText(x.asked, v.Unit), v.Unit, limitText(x.gone, v.Unit), limitText(x.limit, v.Unit), limitText(x.held, v.Unit))
}

// count is how many breakers are open and half open, and how many accounts this node
// knows to be spent.
func (b *breakers) count() (open, halfOpen, spent float64) {
	for _, list := range *b.trips.Load() {
		for i := range list {
			if list[i].State == ledger.Tripped {
				open++
			} else {
				halfOpen++
			}
		}
	}
	at := now()
	b.mu.Lock()
	defer b.mu.Unlock()
	for k, x := range b.spent {
		if x.end <= at {
			delete(b.spent, k)
		}
	}
	return open, halfOpen, float64(len(b.spent))
}

// reportProbes tells the ledger how probes ended, until ctx is done.
func (n *Node) reportProbes(ctx context.Context) {
	for {
		var p ledger.Probed
		select {
		case <-ctx.Done():
			return
		case p = <-n.breakers.reports:
		}
		once, cancel := context.WithTimeout(ctx, changeWait)
		_, err := n.proposer.Propose(once, p)
		cancel()
		if err != nil && ctx.Err() == nil {
			n.log.Warn("how a probe of a budget's breaker ended could not be told; another will be let through", "budget", string(p.Scope.Budget), "error", err)
		}
	}
}

// scopeName names a budget, or one account of it, for people.
func scopeName(c ledger.Scope) string {
	if c.All {
		return string(c.Budget)
	}
	return string(c.Budget) + "[" + string(c.Split) + "]"
}

// toldEvents writes events to the log and has them told.
type toldEvents struct {
	log    *slog.Logger
	alerts func() Events // nil until they are open
}

// Raise implements Events.
func (t toldEvents) Raise(kind, subject string, detail map[string]string) {
	args := []any{slog.String("kind", kind), slog.String("subject", subject)}
	for _, name := range sortedNames(detail) {
		args = append(args, slog.String(name, cmp.Or(detail[name], "-")))
	}
	t.log.Warn("event", args...)
	if a := t.alerts(); a != nil {
		a.Raise(kind, subject, detail)
	}
}

func sortedNames(m map[string]string) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
