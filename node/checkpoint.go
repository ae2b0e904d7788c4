package node

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"purser/cluster"
	"purser/raftfsm"
)

// checkpointEvery is how often replicas compare what they hold. A digest takes a
// second for some hundred thousand accounts, beside the work of the node.
const checkpointEvery = 30 * time.Second

// checkpoint has every replica compare the digest of its state with this one's,
// if all of them can read the command.
func (m *member) checkpoint(ctx context.Context, now time.Time) {
	if now.Sub(m.checked) < checkpointEvery || !m.allRead(raftfsm.CheckpointLevel) {
		return
	}
	m.checked = now
	once, cancel := context.WithTimeout(ctx, changeWait)
	defer cancel()
	if _, err := m.n.proposer.Propose(once, m.n.fsm.Checkpoint()); err != nil {
		m.n.log.Log(ctx, level(ctx), "the replicas were not compared; trying again later", "error", err)
	}
}

// compare ends this node, for good, if its state is not the leader's. It returns
// when ctx is done.
func (m *member) compare(ctx context.Context) {
	err := m.n.fsm.Compare(ctx)
	if err == nil {
		return
	}
	if e := cluster.Condemn(filepath.Join(m.n.cfg.Node.DataDir, raftDir), err); e != nil {
		err = errors.Join(err, e)
	}
	m.n.fatal(err)
}
