package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"purser/internal/purse"
	"purser/ledger"
	"purser/raftfsm"
)

func (n *Node) openPurse(ctx context.Context) error {
	cfg := n.cfg.purse()
	cfg.Store = n.store.Identity().ID
	p, err := purse.Open(ctx, cfg, purse.Seams{
		Exchanger: exchanger{n.proposer, n.metrics.Exchanged}, Marks: LeaseStore(n.store, n.usage, n.log),
		Proofs: n.proven, Overruns: n.overruns, Begin: n.usage.ForgetFrom, Fatal: n.fatal, Wall: now, Log: n.log,
	})
	if err != nil {
		return explainRejection(n.cfg.Node, err)
	}
	n.purse = p
	n.purseNow.Store(p)
	n.unsubscribe = n.fsm.Subscribe(n.refresh)
	n.refresh(n.fsm.Versions())
	return nil
}

// proven is what the usage records show of an earlier lease.
func (n *Node) proven(account ledger.AccountKey, incarnation uint32) (purse.Proof, error) {
	spent, err := n.usage.Proven(account, incarnation)
	if err != nil {
		return purse.Proof{}, err
	}
	overrun, err := n.usage.ProvenOverrun(account, incarnation)
	return purse.Proof{Spent: spent, Overrun: overrun}, err
}

// overruns are the leases of which records show spending beyond the holds.
func (n *Node) overruns() ([]purse.LeaseID, error) {
	var out []purse.LeaseID
	err := n.usage.Overruns(func(account ledger.AccountKey, incarnation uint32) {
		out = append(out, purse.LeaseID{Account: account, Incarnation: incarnation})
	})
	return out, err
}

// explainRejection says what an operator can do about a ledger that will not
// have this node.
func explainRejection(cfg NodeConfig, err error) error {
	var rejected *purse.RejectedError
	if errors.As(err, &rejected) && rejected.Code == ledger.StoreMismatch {
		return fmt.Errorf("the ledger knows node %q with another store than the one in %s: its data was lost or replaced; restore the store, or begin with a new node.id and an empty node.data_dir: %w", cfg.ID, cfg.DataDir, err)
	}
	return fmt.Errorf("registering with the ledger: %w", err)
}

// exchanger carries the purse's commands to the ledger.
type exchanger struct {
	proposer  *raftfsm.Proposer
	exchanged func(took time.Duration) // told of each Exchange that was answered
}

// Register implements purse.Exchanger.
func (e exchanger) Register(ctx context.Context, r ledger.Register) (ledger.Outcome, error) {
	return e.proposer.Propose(ctx, r)
}

// Exchange implements purse.Exchanger.
func (e exchanger) Exchange(ctx context.Context, x *ledger.Exchange) (*ledger.Answer, error) {
	began := time.Now()
	out, err := e.proposer.Propose(ctx, x)
	if err != nil {
		return nil, err
	}
	e.exchanged(time.Since(began))
	return purse.Answered(out)
}
