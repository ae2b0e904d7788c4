package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"purser/api/admin"
	"purser/api/pb"
	"purser/cluster"
	"purser/cluster/pki"
	"purser/internal/directory"
	"purser/ledger"
)

const (
	// changeWait bounds how long a change waits for a leader and its decision.
	changeWait = 10 * time.Second
	// readWait bounds how long a linearizable read waits for a quorum.
	readWait = 3 * time.Second
	// tokenLife is how long a join token is good for, unless asked otherwise.
	tokenLife = time.Hour
)

// catchUp makes what this node holds as new as the read asks for.
func (c control) catchUp(ctx context.Context, how admin.Read) (admin.Age, error) {
	if how == admin.Stale {
		return admin.Age(c.n.raft.SinceLeader()), nil
	}
	ctx, cancel := context.WithTimeout(ctx, readWait)
	defer cancel()
	if err := c.seen(ctx); err != nil {
		return 0, err
	}
	return 0, nil
}

// seen waits until this node holds everything that was acknowledged by now.
func (c control) seen(ctx context.Context) error {
	if err := c.n.confirm(ctx); err != nil { // what the answer shows, this node's requests go by
		return admin.Undecided("no quorum confirms that this node is up to date; ask again, or add ?stale=ok (--stale) for what it knows: " + err.Error())
	}
	return nil
}

// readIndex is what must be applied here for everything acknowledged to be seen.
func (n *Node) readIndex(ctx context.Context) (uint64, error) {
	for {
		index, err := n.raft.ReadIndex()
		if errors.Is(err, cluster.ErrNotLeader) && n.peers != nil {
			index, err = n.peers.readIndex(ctx, "", "")
		}
		if err == nil || ctx.Err() != nil {
			return index, err
		}
		select {
		case <-ctx.Done():
			return 0, err
		case <-time.After(insistPause):
		}
	}
}

// member is this node's part as a member, or why what only a member does is not
// done here.
func (c control) member() (*member, error) {
	switch {
	case c.n.member != nil:
		return c.n.member, nil
	case c.n.peers != nil:
		return nil, c.elsewhere()
	default:
		return nil, errAlone
	}
}

// elsewhere says whom to ask what a gateway cannot answer.
func (c control) elsewhere() error {
	members := slices.Sorted(maps.Keys(c.n.peers.others()))
	return admin.Conflict(fmt.Sprintf("node %s is a gateway, which keeps no accounts and no log; ask a member: %s", c.n.cfg.Node.ID, strings.Join(members, ", ")))
}

var errAlone = admin.Conflict("this node is alone: it belongs to no cluster (see `purser cluster init`)")

// NewToken implements admin.Cluster.
func (c control) NewToken(ctx context.Context, in admin.NewToken) (admin.Token, error) {
	p := c.n.peers
	if p == nil {
		return admin.Token{}, errAlone
	}
	expires, err := instantOf(in.Expires, now()+ledger.Instant(tokenLife))
	if err != nil {
		return admin.Token{}, err
	}
	if expires <= now() {
		return admin.Token{}, admin.Invalid("expires is in the past")
	}
	var addresses []string // of members: they let others in
	if c.n.member != nil {
		addresses = append(addresses, p.address)
	}
	for _, address := range p.others() {
		addresses = append(addresses, address)
	}
	token := pki.NewToken(p.proof.Root, addresses)
	ctx, cancel := context.WithTimeout(ctx, changeWait)
	defer cancel()
	put := directory.PutToken{Hash: token.Hash(), Expires: expires}
	out, err := c.n.changed(ctx, put)
	switch {
	case err != nil:
		return admin.Token{}, ambiguous(err)
	case out.Code == directory.LimitReached:
		return admin.Token{}, admin.Conflict(fmt.Sprintf("there are %d tokens that have not expired, as many as the cluster takes", directory.MaxTokens))
	case out.Code != directory.Applied && out.Code != directory.Unchanged:
		return admin.Token{}, admin.Conflict("the token was not taken: " + out.Code.String())
	}
	return admin.Token{Token: token.String(), Expires: timeText(expires)}, nil
}

// Members implements admin.Cluster.
func (c control) Members(ctx context.Context, how admin.Read) (admin.Members, admin.Age, error) {
	m, err := c.member()
	if err != nil {
		return admin.Members{}, 0, err
	}
	age, err := c.catchUp(ctx, how)
	if err != nil {
		return admin.Members{}, 0, err
	}
	servers, err := m.raft.Servers()
	if err != nil {
		return admin.Members{}, 0, err
	}
	everyone := m.others()
	maps.Copy(everyone, m.gateways())
	answers := m.ask(ctx, everyone)
	answers[c.n.cfg.Node.ID], _ = m.progress(ctx, c.n.cfg.Node.ID, &pb.ProgressRequest{}) // of this node; it fails only for the other kind
	out := admin.Members{Cluster: m.standing.Cluster, Nodes: []admin.Member{}}
	out.Leader, _ = c.n.raft.LeaderNode()
	commit := c.n.raft.Stats().Commit
	state := c.n.fsm.Ledger()
	for _, d := range c.n.fsm.Directory().Nodes() {
		row := memberText(d, servers, answers[string(d.ID)], commit)
		if row.ID == out.Leader {
			row.Role = "leader"
		}
		if v, ok := state.Node(d.ID); ok {
			row.Incarnation, row.Leases, row.Fenced = v.Incarnation, v.Leases, v.Fenced
		}
		row.Gossip = m.gossip.text(row.ID, answers[row.ID].GetGossip())
		if row.Version == "" && row.Gossip != nil {
			row.Version = row.Gossip.Version
		}
		out.Nodes = append(out.Nodes, row)
	}
	return out, age, nil
}

func memberText(d *directory.Node, servers []cluster.Server, answer *pb.ProgressReply, commit uint64) admin.Member {
	row := admin.Member{
		ID: string(d.ID), Address: d.Address, Region: d.Region, Zone: d.Zone,
		State: d.State.String(), Role: "none", Joined: timeText(d.Joined),
	}
	if d.Role == directory.Gateway {
		row.Role = d.Role.String()
	}
	for _, s := range servers {
		switch {
		case s.ID != row.ID:
		case s.Voter:
			row.Role = "voter"
		default:
			row.Role = "nonvoter"
		}
	}
	if answer != nil {
		row.Answers, row.Version, row.Behind = true, answer.Version, commit-min(commit, answer.Applied)
	}
	return row
}

// ChangeNode implements admin.Cluster.
func (c control) ChangeNode(ctx context.Context, id string, change admin.NodeChange) error {
	m, err := c.member()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, changeWait)
	defer cancel()
	if err := c.seen(ctx); err != nil {
		return err
	}
	if _, ok := c.n.fsm.Directory().Node(ledger.NodeID(id)); !ok {
		return admin.NotFound(fmt.Sprintf("no node %q", id))
	}
	switch change {
	case admin.DrainNode:
		return c.setNode(ctx, id, directory.NodeDraining)
	case admin.ResumeNode:
		return c.setNode(ctx, id, directory.NodeActive)
	case admin.RemoveNode:
		return c.removeNode(ctx, m, id)
	case admin.FenceNode:
		return c.fenceNode(ctx, m, id)
	case admin.LeadNode:
		return c.lead(ctx, m, id)
	default:
		return admin.Invalid("unknown change " + string(change))
	}
}

func (c control) setNode(ctx context.Context, id string, to directory.NodeState) error {
	cmd := directory.SetNode{ID: ledger.NodeID(id), State: to}
	out, err := c.n.changed(ctx, cmd)
	if err != nil {
		return ambiguous(err)
	}
	switch out.Code {
	case directory.Applied, directory.Unchanged:
		return nil
	case directory.UnknownNode:
		return admin.NotFound(fmt.Sprintf("no node %q", id))
	default:
		return admin.Conflict(fmt.Sprintf("node %s: %s", id, out.Code))
	}
}

// removeNode takes a node out for good. Its leases are its own: what it has not
// returned stays outstanding until it is fenced.
func (c control) removeNode(ctx context.Context, m *member, id string) error {
	if err := m.keepsQuorum(ctx, id); err != nil {
		return err
	}
	if d, ok := c.n.fsm.Directory().Node(ledger.NodeID(id)); ok && d.State == directory.NodeActive {
		return admin.Conflict(fmt.Sprintf("node %s may be leased to at any moment: drain it first (purser node drain %s); or, if it is dead for good, fence it (purser node fence %s)", id, id, id))
	}
	if v, ok := c.n.fsm.Ledger().Node(ledger.NodeID(id)); ok && v.Leases > 0 && !v.Fenced && c.owes(ledger.NodeID(id)) {
		return admin.Conflict(fmt.Sprintf("node %s still has leases: drain it first (purser node drain %s) and let it stop; or, if it is dead for good, fence it", id, id))
	}
	return c.setNode(ctx, id, directory.NodeRemoved)
}

// owes reports whether a node has anything outstanding.
func (c control) owes(id ledger.NodeID) bool {
	state := c.n.fsm.Ledger()
	for b := range state.Budgets() {
		for a := range state.Accounts(b.ID) {
			if l, ok := state.Lease(a.Key, id); ok && l.Granted-l.Spent-l.Returned > 0 {
				return true
			}
		}
	}
	return false
}

// keepsQuorum refuses to lose a voter whose vote the rest needs.
func (m *member) keepsQuorum(ctx context.Context, id string) error {
	servers, err := m.raft.Servers()
	if err != nil {
		return err
	}
	view := cluster.View{Self: m.n.cfg.Node.ID, Servers: servers}
	answers := m.ask(ctx, m.others())
	voter := false
	for _, s := range servers {
		voter = voter || s.ID == id && s.Voter
		seen := cluster.Seen{ID: s.ID}
		if answers[s.ID] == nil {
			seen.Silent = 1
		}
		view.Nodes = append(view.Nodes, seen)
	}
	if voter && !cluster.MayLose(view, id) {
		return admin.Conflict(fmt.Sprintf("without node %s the voters that answer would be no quorum, and the cluster could decide nothing: bring others back, or add nodes, first", id))
	}
	return nil
}

// fenceNode is an operator's word that a node is dead for good: what it holds
// counts as spent, and it is removed.
func (c control) fenceNode(ctx context.Context, m *member, id string) error {
	if id == c.n.cfg.Node.ID {
		return admin.Conflict("a node that answers is not dead; drain and remove it, or stop it and ask another node to fence it")
	}
	if err := m.keepsQuorum(ctx, id); err != nil {
		return err
	}
	if err := c.setNode(ctx, id, directory.NodeRemoved); err != nil {
		return err
	}
	// It is out of reach of the ledger now: what it has is what it had last.
	if err := c.seen(ctx); err != nil {
		return err
	}
	if err := c.n.noteLoss(ctx, id); err != nil {
		return err
	}
	out, err := c.n.changedLedger(ctx, ledger.Fence{Node: ledger.NodeID(id)})
	if err != nil {
		return ambiguous(err)
	}
	if out.Code != ledger.Applied && out.Code != ledger.FencedNode && out.Code != ledger.UnknownNode {
		return admin.Conflict("the ledger refused: " + out.Code.String())
	}
	return nil
}

// lead has a node take over leadership.
func (c control) lead(ctx context.Context, m *member, id string) error {
	if leader, _ := c.n.raft.LeaderNode(); leader == id {
		return nil // it leads already
	}
	if err := c.n.noted(ctx, change{action: "node.lead", target: "node/" + id}); err != nil {
		return err
	}
	err := m.raft.Transfer(id)
	if errors.Is(err, cluster.ErrNotLeader) {
		leader, address := m.leader(ctx)
		if leader == id {
			return nil
		}
		if leader == "" {
			return admin.Undecided("no node leads now; try again")
		}
		err = m.clients.Lead(ctx, leader, m.where(leader, address), id)
	}
	if err != nil {
		return admin.Conflict("leadership did not move: " + err.Error())
	}
	return nil
}
