package node

import (
	"context"
	"slices"
	"time"

	"purser/api/pb"
	"purser/cluster"
	"purser/internal/directory"
	"purser/ledger"
)

const (
	// leadEvery is how often a leader looks at the cluster.
	leadEvery = time.Second
	// clockLimit is how far a leader's clock may be from the middle of the others'
	// before another one stamps ledger time.
	clockLimit = 2 * time.Second
	// stuckLimit is how long a node that answers may make no progress behind the
	// leader before leadership moves: replication to it has wedged, and a new leader
	// begins it afresh (hashicorp/raft issues 612 and 697).
	stuckLimit = 30 * time.Second
	// handOverPause keeps one bad reason from moving leadership in circles.
	handOverPause = time.Minute
)

// sighting is since when a node has answered, or not.
type sighting struct {
	answers, silent time.Time // one of the two is zero
}

// pace is how far a node was, and since when.
type pace struct {
	last  uint64
	since time.Time
}

// lead looks after the cluster while this node leads it: who is in Raft's
// configuration and who votes, whose clock stamps the ledger, whether every node
// keeps up. It returns when ctx is done.
func (m *member) lead(ctx context.Context) {
	t := time.NewTicker(leadEvery)
	defer t.Stop()
	var handed time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if !m.raft.Leader() {
			clear(m.watch) // what it saw as an earlier leader is old
			clear(m.stalled)
			m.levels.forget()
			continue
		}
		asked := time.Now()
		answers := m.ask(ctx, m.others())
		if ctx.Err() != nil {
			return
		}
		m.levels.note(answers)
		m.reconcile(ctx, answers, asked)
		m.checkpoint(ctx, asked)
		if reason := m.unfit(answers, asked, time.Now()); reason != "" && time.Since(handed) > handOverPause {
			handed = time.Now()
			m.handOver(ctx, reason)
		}
	}
}

// reconcile carries out the next change that the plan asks for.
func (m *member) reconcile(ctx context.Context, answers map[string]*pb.ProgressReply, asked time.Time) {
	view, err := m.view(answers, asked)
	if err != nil {
		m.n.log.Log(ctx, level(ctx), "the cluster's configuration could not be read", "error", err)
		return
	}
	c, ok := cluster.Plan(view, m.patience())
	if !ok {
		return
	}
	if err := m.raft.Change(c); err != nil {
		m.n.log.Log(ctx, level(ctx), "a change of the cluster's configuration failed", "change", c.Kind.String(), "node", c.ID, "error", err)
		return
	}
	m.n.log.Info("the cluster's configuration changed", "change", c.Kind.String(), "node", c.ID, "address", c.Address)
}

func (m *member) patience() cluster.Patience {
	p := cluster.Calm()
	if m.n.cfg.Cluster.Profile == "wan" {
		p = cluster.CalmWAN()
	}
	p.Stable = m.n.cfg.Cluster.Stable
	return p
}

// view is the cluster as this node, leading it, sees it.
func (m *member) view(answers map[string]*pb.ProgressReply, now time.Time) (cluster.View, error) {
	servers, err := m.raft.Servers()
	if err != nil {
		return cluster.View{}, err
	}
	v := cluster.View{Self: m.n.cfg.Node.ID, Servers: servers}
	commit := m.raft.Stats().Commit
	for _, d := range m.n.fsm.Directory().Nodes() {
		if d.Role == directory.Gateway {
			continue // never in Raft's configuration
		}
		id := string(d.ID)
		s := cluster.Seen{
			ID: id, Address: d.Address, Region: d.Region, Zone: d.Zone,
			Removed: d.State == directory.NodeRemoved, Leaving: d.State == directory.NodeDraining,
		}
		if id == v.Self {
			v.Nodes = append(v.Nodes, s)
			continue
		}
		at := m.watch[id]
		if at == nil {
			at = &sighting{}
			m.watch[id] = at
		}
		answer := answers[id]
		if answer != nil {
			s.Behind = commit - min(commit, answer.Applied)
		}
		at.note(answer != nil, now)
		s.Answers, s.Silent = at.spans(now)
		v.Nodes = append(v.Nodes, s)
	}
	return v, nil
}

func (s *sighting) note(answered bool, now time.Time) {
	switch {
	case answered && s.answers.IsZero():
		*s = sighting{answers: now}
	case !answered && s.silent.IsZero():
		*s = sighting{silent: now}
	}
}

// spans are for how long it has answered and for how long not. A node that is
// silent for the first time is silent, if only just.
func (s *sighting) spans(now time.Time) (answers, silent time.Duration) {
	if !s.answers.IsZero() {
		return now.Sub(s.answers), 0
	}
	return 0, max(now.Sub(s.silent), 1)
}

// unfit is why another node should lead, or "".
func (m *member) unfit(answers map[string]*pb.ProgressReply, asked, now time.Time) string {
	if self, ok := m.n.fsm.Directory().Node(ledger.NodeID(m.n.cfg.Node.ID)); ok && self.State != directory.NodeActive {
		return "this node is " + self.State.String()
	}
	var clocks []int64
	for _, p := range answers {
		clocks = append(clocks, p.Clock)
	}
	if off := clockOffset(clocks, asked, now); off > clockLimit || off < -clockLimit {
		return "this node's clock is " + off.Round(time.Millisecond).String() + " from those of the others"
	}
	return m.stalled.wedged(answers, m.raft.Stats().Commit, now)
}

// clockOffset is how far this node's clock is ahead of the middle of all clocks.
// With fewer than three nobody can say which one is wrong.
func clockOffset(others []int64, asked, now time.Time) time.Duration {
	if len(others) < 2 {
		return 0
	}
	here := asked.UnixNano() + int64(now.Sub(asked)/2)
	all := append(slices.Clone(others), here)
	slices.Sort(all)
	return time.Duration(here - all[len(all)/2])
}

// paces are how far each node that answers was, by its id.
type paces map[string]pace

// wedged is which node answers and does not get on although there is more for it.
func (s paces) wedged(answers map[string]*pb.ProgressReply, commit uint64, now time.Time) string {
	for id := range s {
		if answers[id] == nil {
			delete(s, id)
		}
	}
	for id, p := range answers {
		was, seen := s[id]
		if !seen || p.Last != was.last || p.Last >= commit {
			s[id] = pace{p.Last, now}
			continue
		}
		if now.Sub(was.since) > stuckLimit {
			delete(s, id)
			return "node " + id + " has been sent nothing for " + stuckLimit.String()
		}
	}
	return ""
}

// handOver lets another node lead.
func (m *member) handOver(ctx context.Context, reason string) {
	m.n.log.Warn("handing leadership over", "reason", reason)
	if err := m.raft.Transfer(""); err != nil {
		m.n.log.Log(ctx, level(ctx), "leadership could not be handed over", "error", err)
	}
}
