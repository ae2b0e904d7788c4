package node

import (
	"context"
	"fmt"
	"strings"
	"time"

	"purser/api/admin"
	"purser/internal/directory"
)

// control does what the admin API asks.
type control struct {
	n *Node
}

// changeKeys proposes a command and returns once this node's request path has
// seen its effect.
func (c control) changeKeys(ctx context.Context, cmd directory.Command) error {
	out, err := c.changeDirectory(ctx, cmd)
	if err != nil {
		return err
	}
	switch out.Code {
	case directory.Applied, directory.Unchanged:
		return nil
	case directory.UnknownKey:
		return admin.NotFound("no such key")
	case directory.InvalidCommand:
		return admin.Invalid("the key is not valid")
	case directory.VersionMismatch:
		return admin.Conflict("somebody changed the key; read it again")
	case directory.KeyActive:
		return admin.Conflict("the key is in use: revoke it first")
	case directory.KeyRevoked:
		return admin.Conflict("the key is revoked or expired")
	default:
		return admin.Conflict(out.Code.String())
	}
}

// ambiguous says that a change may or may not have happened.
func ambiguous(err error) error {
	return admin.Undecided("the change was not confirmed; look whether it took effect, and try again: " + err.Error())
}

// Status implements admin.Reports.
func (c control) Status(ctx context.Context, how admin.Read) (admin.Status, admin.Age, error) {
	n := c.n
	age, err := c.catchUp(ctx, how)
	if err != nil {
		return admin.Status{}, 0, err
	}
	state, applied := n.fsm.LedgerAt()
	dir, stats := n.fsm.Directory(), n.raft.Stats()
	out := admin.Status{
		Node: n.cfg.Node.ID, Version: n.version, State: n.State(), Incarnation: n.purse.Incarnation(),
		LedgerTime: timeText(state.Now()), Generation: state.Generation(), AppliedLog: applied,
		Keys: dir.Len(), Catalogue: n.prices.Hash(), Holds: n.purse.Outstanding(), Uptime: time.Since(n.began).Seconds(),
	}
	out.Leader, _ = n.raft.LeaderNode()
	out.Role, out.Term = strings.ToLower(stats.State), stats.Term
	if n.peers != nil {
		out.Cluster = n.peers.standing.Cluster
	}
	if n.follower != nil {
		out.Follows, out.AppliedLog = n.follower.following.member(), stats.Applied
	} else {
		out.Digest = fmt.Sprintf("%x", state.Digest()) // of accounts, which a gateway has not
	}
	for b := range state.Budgets() {
		out.Budgets++
		for range state.Accounts(b.ID) {
			out.Accounts++
		}
	}
	out.Upstreams = n.upstreamStatus()
	return out, age, nil
}
