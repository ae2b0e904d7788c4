package raftfsm

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"purser/internal/audit"
	"purser/internal/directory"
	"purser/ledger"
)

// An administrative command goes into the log with the facts of the change, so that
// the state and the audit trail cannot differ. One that comes without them, from a
// node of an earlier build or of a node's own accord, is given what is known here.
//
// A replica of an earlier build cannot read that. Until the trail has its first entry,
// which shows that every replica can, the command goes into the log alone: a cluster in
// the middle of an upgrade must be able to revoke a key. It is told to
// [Proposer.Unaudited], so that it is in the trail later. From the first entry on there
// is no such exception.

// ProposeAs is [Proposer.Propose] for a change that the audit trail is to have.
func (p *Proposer) ProposeAs(ctx context.Context, by audit.Facts, c ledger.Command) (ledger.Outcome, error) {
	by = by.Clean()
	return propose(ctx, p, auditedMessage(&by, ledgerMessage(c)), ledger.DecodeOutcome)
}

// ProposeDirectoryAs is [Proposer.ProposeDirectory] for a change that the audit trail
// is to have.
func (p *Proposer) ProposeDirectoryAs(ctx context.Context, by audit.Facts, c directory.Command) (directory.Outcome, error) {
	by = by.Clean()
	return propose(ctx, p, auditedMessage(&by, directoryMessage(c)), directory.DecodeOutcome)
}

// ProposeAudit appends events to the audit trail. The same batch may be proposed again.
func (p *Proposer) ProposeAudit(ctx context.Context, b *audit.Batch) (audit.Outcome, error) {
	return propose(ctx, p, auditMessage(b), audit.DecodeOutcome)
}

// witnessed gives an administrative command of a node the facts that are known here,
// or takes the facts off where a replica could not read them. late are the facts that
// were taken off.
func (p *Proposer) witnessed(from ledger.NodeID, m message) (out message, late *audit.Facts) {
	switch {
	case m.room == RoomAudited && !p.reads(GovernanceLevel):
		facts, inner, err := m.split()
		if err != nil {
			return m, nil
		}
		return inner, &facts
	case m.room != RoomLedger && m.room != RoomDirectory || from == "":
		return m, nil
	}
	c, err := m.decode()
	if err != nil {
		return m, nil
	}
	action, target := administrative(c.ledger, c.directory)
	if action == "" {
		return m, nil
	}
	facts := audit.Facts{Node: from, Actor: "node:" + string(from), Action: action, Target: target}.Clean()
	if !p.reads(GovernanceLevel) {
		return m, &facts
	}
	return auditedMessage(&facts, m), nil
}

// reads reports whether every replica reads commands of a level, as one has that is in
// the log, or in a snapshot that every replica reads.
func (p *Proposer) reads(level uint32) bool {
	return level <= GovernanceLevel && p.begun() || p.Readable == nil || p.Readable(level)
}

// begun reports whether the audit trail has an entry.
func (p *Proposer) begun() bool { return p.fsm.Trail().Head().Seq > 0 }

// alone is the command of an audited message, for a leader of an earlier build than
// this node's: it refused err the message, for good. The trail, which a gateway does
// not have, must not have begun.
func (p *Proposer) alone(m message, err error) (inner message, facts audit.Facts, ok bool) {
	if m.room != RoomAudited || !errors.Is(err, ErrNotProposed) || errors.Is(err, ErrNoLeader) || p.begun() {
		return message{}, audit.Facts{}, false
	}
	facts, inner, split := m.split()
	return inner, facts, split == nil
}

// unaudited tells of a command that changed something and is not in the trail.
func (p *Proposer) unaudited(f audit.Facts, outcome any) {
	if p.Unaudited != nil && applied(outcome) {
		p.Unaudited(f)
	}
}

// Named is what the audit trail calls a command of the admin API: what it does, and to
// what. One that has no name here is called by its type.
func Named(l ledger.Command, d directory.Command) (action, target string) {
	if action, target = administrative(l, d); action == "" {
		name := fmt.Sprintf("%T", l)
		if l == nil {
			name = fmt.Sprintf("%T", d)
		}
		action = strings.ToLower(strings.TrimLeft(name, "*"))
	}
	return action, target
}

// administrative names a command that only operators give; "" for what nodes do of
// their own accord.
func administrative(l ledger.Command, d directory.Command) (action, target string) {
	switch c := l.(type) {
	case ledger.PutBudget:
		return "budget.put", "budget/" + string(c.Budget.ID)
	case ledger.DeleteBudget:
		return "budget.delete", "budget/" + string(c.ID)
	case ledger.Release:
		return "budget.release", "budget/" + string(c.ID)
	case ledger.PutRaise:
		return "budget.raise", "budget/" + string(c.Raise.Budget)
	case ledger.EndRaise:
		return "budget.raise.end", "budget/" + string(c.Budget)
	case ledger.TripBudget:
		return "budget.trip", "budget/" + string(c.Scope.Budget)
	case ledger.ResetBreaker:
		return "budget.reset", "budget/" + string(c.Scope.Budget)
	case ledger.Fence:
		return "node.fence", "node/" + string(c.Node)
	}
	switch c := d.(type) {
	case directory.PutKey:
		return "key.put", "key/" + string(c.Key.ID)
	case directory.WriteKey:
		return "key.put", "key/" + string(c.Key.ID)
	case directory.RotateKey:
		return "key.rotate", "key/" + string(c.ID)
	case directory.RevokeKey:
		return "key.revoke", "key/" + string(c.ID)
	case directory.ForgetKey:
		return "key.forget", "key/" + string(c.ID)
	case directory.PutToken:
		return "token.create", fmt.Sprintf("token/%x", c.Hash[:4])
	case directory.AdmitNode:
		return "node.admit", "node/" + string(c.Node.ID)
	case directory.AdmitGateway:
		return "node.admit", "node/" + string(c.Node.ID)
	case directory.SetNode:
		return "node." + c.State.String(), "node/" + string(c.ID)
	case directory.ForgetNodes:
		return "cluster.forget", "cluster"
	case directory.PutObject:
		return "object.put", fmt.Sprintf("object-%d/%s", c.Ref.Kind, c.Ref.ID)
	case directory.DeleteObject:
		return "object.delete", fmt.Sprintf("object-%d/%s", c.Ref.Kind, c.Ref.ID)
	}
	return "", ""
}
