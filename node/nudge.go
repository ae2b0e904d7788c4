package node

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"purser/internal/record"
	"purser/ledger"
)

// contention is accounts in which a node's requests wait for what others have idle.
type contention struct {
	node     ledger.NodeID
	accounts []ledger.AccountKey
}

const (
	// maxContentions bounds those waiting to be told; more are dropped, for the
	// node asks again.
	maxContentions = 256
	// maxHolders bounds the holders that are asked for one account: those with the
	// most outstanding.
	maxHolders = 16
	// nudgeGap keeps a holder from being asked again before it can have answered.
	nudgeGap = 20 * time.Millisecond
	// nudgeRound is how long others come before a holder that was asked: about an
	// admission wait.
	nudgeRound = 250 * time.Millisecond
	// nudgeWait bounds one nudge.
	nudgeWait = time.Second
	// maxNudged bounds the memory of who was nudged.
	maxNudged = 4096
)

// contended is told by the proposer; it does not wait.
func (m *member) contended(node ledger.NodeID, accounts []ledger.AccountKey) {
	select {
	case m.nudges <- contention{node, accounts}:
	default:
	}
}

type nudged struct {
	node    ledger.NodeID
	account ledger.AccountKey
}

// nudge has the holders of contended accounts report at once, so that what they
// have idle comes back within the admission wait. It returns when ctx is done.
func (m *member) nudge(ctx context.Context) {
	var calls sync.WaitGroup
	defer calls.Wait()
	slots := make(chan struct{}, maxHolders)
	told := map[nudged]time.Time{}
	for {
		var c contention
		select {
		case <-ctx.Done():
			return
		case c = <-m.nudges:
		}
		now := time.Now()
		if len(told) > maxNudged {
			clear(told)
		}
		for node, accounts := range m.holders(c, told, now) {
			if string(node) == m.n.cfg.Node.ID {
				m.n.purse.Nudge(accounts)
				continue
			}
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			calls.Go(func() {
				defer func() { <-slots }()
				m.call(ctx, node, accounts)
			})
		}
	}
}

// holders is who has something outstanding in the contended accounts.
func (m *member) holders(c contention, told map[nudged]time.Time, now time.Time) map[ledger.NodeID][]ledger.AccountKey {
	out := map[ledger.NodeID][]ledger.AccountKey{}
	state := m.n.fsm.Ledger()
	for _, account := range c.accounts {
		var leases []ledger.LeaseView
		for l := range state.Leases(account) {
			if l.Node != c.node && l.Granted-l.Spent-l.Returned > 0 && now.Sub(told[nudged{l.Node, account}]) > nudgeGap {
				leases = append(leases, l)
			}
		}
		// Those who were asked lately have given what was idle: with many holders
		// every question reaches others.
		asked := func(l ledger.LeaseView) int {
			if now.Sub(told[nudged{l.Node, account}]) > nudgeRound {
				return 0
			}
			return 1
		}
		slices.SortFunc(leases, func(a, b ledger.LeaseView) int {
			return cmp.Or(cmp.Compare(asked(a), asked(b)), cmp.Compare(b.Granted-b.Spent-b.Returned, a.Granted-a.Spent-a.Returned))
		})
		for _, l := range leases[:min(len(leases), maxHolders)] {
			told[nudged{l.Node, account}] = now
			out[l.Node] = append(out[l.Node], account)
		}
	}
	return out
}

func (m *member) call(ctx context.Context, node ledger.NodeID, accounts []ledger.AccountKey) {
	known, ok := m.n.fsm.Directory().Node(node)
	if !ok {
		return
	}
	var keys [][]byte
	for _, a := range accounts {
		keys = append(keys, record.AppendAccount(nil, a))
	}
	ctx, cancel := context.WithTimeout(ctx, nudgeWait)
	defer cancel()
	if err := m.clients.Nudge(ctx, string(node), m.where(string(node), known.Address), keys); err != nil && ctx.Err() == nil {
		m.n.log.Debug("a holder could not be nudged", "node", string(node), "error", err)
	}
}

// nudged is asked by the leader to report accounts at once.
func (p *peers) nudged(keys [][]byte) {
	var accounts []ledger.AccountKey
	for _, k := range keys {
		if a, rest, err := record.DecodeAccount(k); err == nil && len(rest) == 0 {
			accounts = append(accounts, a)
		}
	}
	if purse := p.n.purseNow.Load(); purse != nil {
		purse.Nudge(accounts)
	}
}
