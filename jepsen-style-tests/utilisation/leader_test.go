package utilisation

import (
	"cmp"
	"slices"
	"time"

	"purser/internal/purse"
	"purser/ledger"
)

// Those of packages raftfsm and node.
const (
	maxFlights = 2
	maxBatch   = 256
	maxHolders = 16
	nudgeGap   = 20 * time.Millisecond
	nudgeRound = 250 * time.Millisecond
)

// leader applies Exchanges to the real ledger, as the proposer and the nudger do.
type leader struct {
	w       *world
	state   *ledger.State
	queue   []message
	flights int
	told    map[ledger.NodeID]int64 // when a holder was last nudged
}

// message is an Exchange that has reached the leader.
type message struct {
	from *node
	x    *ledger.Exchange
}

func (l *leader) register(r ledger.Register) (uint32, error) {
	out := l.state.Apply(l.w.moment().Wall, r)
	if out.Code != ledger.Applied {
		return 0, &purse.RejectedError{Code: out.Code}
	}
	return out.Incarnation, nil
}

func (l *leader) take(n *node, x *ledger.Exchange) {
	l.queue = append(l.queue, message{n, x})
	if l.flights < maxFlights {
		l.flights++
		l.fly()
	}
}

// fly sends entry after entry until nothing waits.
func (l *leader) fly() {
	if len(l.queue) == 0 {
		l.flights--
		return
	}
	n := min(len(l.queue), maxBatch)
	batch := slices.Clone(l.queue[:n])
	l.queue = slices.Delete(l.queue, 0, n)
	l.w.after(commitTime, func() {
		l.w.entries++
		if l.w.ending() {
			l.w.endEntries++
		}
		for _, m := range batch {
			l.carry(m)
		}
		l.fly()
	})
}

func (l *leader) carry(m message) {
	out := l.state.Apply(l.w.moment().Wall, m.x)
	ans, err := purse.Answered(out)
	if err != nil {
		panic(err)
	}
	if slices.ContainsFunc(ans.Needs, func(n ledger.NeedResult) bool { return n.Verdict == ledger.NeedContended }) {
		l.nudge(m.from, m.x.Rows[0].Account)
	}
	l.w.after(hop, func() { l.w.answered(m.from, ans) })
}

// nudge has those with the most outstanding report at once.
func (l *leader) nudge(asker *node, account ledger.AccountKey) {
	var leases []ledger.LeaseView
	for v := range l.state.Leases(account) {
		told, ever := l.told[v.Node]
		if v.Node != asker.id && v.Granted-v.Spent-v.Returned > 0 && (!ever || l.w.now-told > int64(nudgeGap)) {
			leases = append(leases, v)
		}
	}
	asked := func(v ledger.LeaseView) int {
		if told, ever := l.told[v.Node]; !ever || l.w.now-told > int64(nudgeRound) {
			return 0
		}
		return 1
	}
	slices.SortFunc(leases, func(a, b ledger.LeaseView) int {
		return cmp.Or(cmp.Compare(asked(a), asked(b)), cmp.Compare(b.Granted-b.Spent-b.Returned, a.Granted-a.Spent-a.Returned))
	})
	for _, v := range leases[:min(len(leases), maxHolders)] {
		l.told[v.Node] = l.w.now
		i := slices.IndexFunc(l.w.nodes, func(n *node) bool { return n.id == v.Node })
		n := l.w.nodes[i]
		l.w.after(hop, func() {
			if !n.dead {
				n.driver.Nudge([]ledger.AccountKey{account})
				l.w.turn(n)
			}
		})
	}
}
