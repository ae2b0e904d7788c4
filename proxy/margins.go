package proxy

import (
	"maps"
	"sync"
	"sync/atomic"

	"purser/ledger"
)

// margins are how much more than its bound a call holds where an upstream has
// billed beyond one. A provider that does so once, on a model, may do so again:
// so that each such model overruns a few times at most and not with every call,
// what is held doubles until it covers the worst that was billed.
//
// They are this node's own and last as long as it runs. Upstreams and rates are
// configured, so their number is bounded. Safe for concurrent use; reading takes
// no lock.
type margins struct {
	learned atomic.Pointer[map[marginKey]margin] // nil while nothing has overrun
	mu      sync.Mutex                           // held to replace it
}

// marginKey is whose bill it is.
type marginKey struct{ upstream, rate string }

// margin is how often a bound is doubled.
type margin uint8

// maxMargin is the most that is held: 64 times the bound. With a provider that
// bills beyond that, no cap can be kept, and it gets no calls of that model.
const maxMargin margin = 6

// maxStep is how many doublings one bill teaches: a single absurd one makes holds
// four times as large, and does not take a model out of service.
const maxStep margin = 2

// of is what is known of k.
func (m *margins) of(k marginKey) margin {
	if known := m.learned.Load(); known != nil {
		return (*known)[k]
	}
	return 0
}

// overran takes in that a call, which held its bound doubled used times, cost
// more, and says what calls of k hold from now on.
func (m *margins) overran(k marginKey, used margin, held, cost Claim) (now margin, raised bool) {
	now = used
	for step := margin(0); step < maxStep && now <= maxMargin && !covers(step, held, cost); step++ {
		now++
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if before := m.of(k); now <= before {
		return before, false
	}
	next := map[marginKey]margin{k: now}
	if known := m.learned.Load(); known != nil {
		next = maps.Clone(*known)
		next[k] = now
	}
	m.learned.Store(&next)
	return now, true
}

func covers(m margin, held, cost Claim) bool {
	c := m.claim(held)
	return cost.USD <= c.USD && cost.Tokens <= c.Tokens
}

// claim is what is held for a call bounded by c.
func (m margin) claim(c Claim) Claim {
	twice := func(a ledger.Amount) ledger.Amount {
		if a > ledger.MaxAmount>>m {
			return ledger.MaxAmount
		}
		return a << m
	}
	return Claim{USD: twice(c.USD), Tokens: twice(c.Tokens)}
}
