package node

import (
	"context"
	"maps"
	"time"

	"purser/api/pb"
	"purser/internal/alert"
	"purser/internal/directory"
	"purser/internal/vault"
	"purser/ledger"
)

const (
	// accountsEvery is how soon after one look at all accounts the next begins, and
	// accountsShare the least part of the time that is left to others: a million
	// accounts take some hundred milliseconds.
	accountsEvery = time.Second
	accountsShare = 50
	// nodesEvery is how often the leader asks every node how it is, gateways included.
	nodesEvery = 5 * time.Second
	// keysEvery is how often it looks for keys that end.
	keysEvery = time.Minute
)

// watchCluster looks, while this node leads, at what is replicated and at the other
// nodes, and raises what is new. It returns when ctx is done.
func (a *alerts) watchCluster(ctx context.Context) {
	t := time.NewTicker(accountsEvery)
	defer t.Stop()
	var accounts, nodes, keys time.Time // when each is next looked at
	seen := map[string]*sighting{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if !a.n.raft.Leader() {
			clear(seen) // what it saw as an earlier leader is old
			continue
		}
		at := time.Now()
		if !at.Before(accounts) {
			a.lookAtAccounts(ctx)
			accounts = time.Now().Add(max(accountsEvery/2, accountsShare*time.Since(at)))
		}
		if at = time.Now(); !at.Before(nodes) {
			nodes = at.Add(nodesEvery)
			a.lookAtNodes(ctx, seen)
		}
		if at = time.Now(); !at.Before(keys) {
			keys = at.Add(keysEvery)
			a.lookAtKeys(ctx)
		}
	}
}

// news raises those of the conditions that were not told, and reports whether there
// may be room for more.
func (a *alerts) news(ctx context.Context, conditions []alert.Condition) bool {
	dir := a.n.fsm.Directory()
	raises, err := alert.News(dir, conditions)
	if err != nil {
		a.n.log.Error("alerts could not be written", "error", err)
		return false
	}
	room := max(directory.MaxOpenAlerts-dir.OpenAlerts(), 0)
	fits := raises[:min(len(raises), room)]
	return a.propose(ctx, fits) && len(fits) == len(raises)
}

func (a *alerts) lookAtAccounts(ctx context.Context) {
	state, at := a.n.fsm.Ledger(), now()
	var found []alert.Condition
	for rule := range state.Budgets() {
		b := alert.NewBudget(rule)
		if !b.Watched() {
			continue
		}
		for v := range state.Accounts(rule.ID) {
			found = b.Account(found, &v, at)
			if len(found) >= directory.MaxRaises {
				if !a.news(ctx, found) {
					return // and again at the next look
				}
				found = found[:0]
			}
		}
	}
	a.news(ctx, found)
}

func (a *alerts) lookAtKeys(ctx context.Context) {
	var found []alert.Condition
	at := now()
	for k := range a.n.fsm.Directory().Keys() {
		if k.Revoked != 0 {
			continue
		}
		e := alert.Expiring{Type: alert.KeyExpiring, ID: string(k.ID), Name: k.Name, Ends: k.Expires}
		if c, ok := a.patience.Expiring(&e, at); ok {
			found = append(found, c)
		}
	}
	for o := range a.n.fsm.Directory().Objects(directory.ObjectCredential) {
		credential, err := vault.Decode(o.ID, o.Spec)
		if err != nil {
			continue // the requests that need it say so
		}
		e := alert.Expiring{Type: alert.CredentialExpiring, ID: o.ID, Name: o.ID, Ends: credential.Expires}
		if c, ok := a.patience.Expiring(&e, at); ok {
			found = append(found, c)
		}
	}
	a.news(ctx, found)
}

// lookAtNodes asks all other nodes how they are.
func (a *alerts) lookAtNodes(ctx context.Context, seen map[string]*sighting) {
	p := a.n.peers
	if p == nil {
		return
	}
	everyone := p.others()
	maps.Copy(everyone, p.gateways())
	asked := time.Now()
	answers := p.ask(ctx, everyone)
	if ctx.Err() != nil || !a.n.raft.Leader() {
		return
	}
	at := time.Now()
	var list []alert.Node
	for _, d := range a.n.fsm.Directory().Nodes() {
		if string(d.ID) == a.n.cfg.Node.ID {
			continue
		}
		list = append(list, a.node(d, answers[string(d.ID)], seen, asked, at))
	}
	a.holdings(list)
	var found []alert.Condition
	for i := range list {
		found = a.patience.Node(found, &list[i], now())
	}
	a.news(ctx, found)
}

func (a *alerts) node(d *directory.Node, answer *pb.ProgressReply, seen map[string]*sighting, asked, at time.Time) alert.Node {
	n := alert.Node{ID: string(d.ID), Role: d.Role.String(), Removed: d.State == directory.NodeRemoved, Answers: answer != nil}
	if v, ok := a.n.fsm.Ledger().Node(d.ID); ok {
		n.Fenced = v.Fenced
	}
	s := seen[n.ID]
	if s == nil {
		s = &sighting{}
		seen[n.ID] = s
	}
	s.note(n.Answers, at)
	_, silent := s.spans(at)
	n.Silent = ledger.Instant(silent)
	if answer != nil {
		n.Ahead = ledger.Instant(answer.Clock - asked.UnixNano() - int64(at.Sub(asked)/2))
	}
	return n
}

// holdings finds what nodes that are gone hold, if there are any: it looks at every
// lease.
func (a *alerts) holdings(list []alert.Node) {
	gone := map[ledger.NodeID]*alert.Node{}
	for i := range list {
		if n := &list[i]; n.Silent >= a.patience.Unreachable && !n.Fenced {
			n.Holds = map[string]int64{}
			gone[ledger.NodeID(n.ID)] = n
		}
	}
	if len(gone) == 0 {
		return
	}
	state := a.n.fsm.Ledger()
	for b := range state.Budgets() {
		for v := range state.Accounts(b.ID) {
			if v.Outstanding == 0 || v.State != ledger.Open {
				continue
			}
			for id, n := range gone {
				if l, ok := state.Lease(v.Key, id); ok {
					if held := l.Granted - l.Spent - l.Returned; held > 0 {
						n.Holds[v.Unit.String()] += int64(held)
					}
				}
			}
		}
	}
}
