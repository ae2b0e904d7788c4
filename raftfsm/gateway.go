package raftfsm

import (
	"fmt"

	"purser/internal/audit"
	"purser/internal/directory"
	"purser/ledger"
)

// MayForward reports why a gateway may not have a command carried out, or nil. It
// speaks for itself alone about leases and places, changes budgets, keys, objects and
// tokens as its admin API does, in its own name, raises alerts, and says of keys what its
// requests show; what concerns other nodes, or the log and its
// replicas, is the members' affair. A command that cannot be read is left to
// [Proposer.Carry].
func MayForward(gateway ledger.NodeID, room Room, body []byte) error {
	decoded, err := message{room, body}.decode()
	if err != nil {
		return nil
	}
	if decoded.facts != nil && decoded.facts.Node != gateway {
		return fmt.Errorf("%w: gateway %s speaks for node %s", ErrNotProposed, gateway, decoded.facts.Node)
	}
	of := gateway // whom the command is about
	switch c := decoded.ledger.(type) {
	case ledger.Register:
		of = c.Node
	case *ledger.Exchange:
		of = c.Node
	case ledger.PutBudget, ledger.DeleteBudget, ledger.Release, ledger.PutRaise, ledger.EndRaise,
		ledger.TripBudget, ledger.ResetBreaker, ledger.Probed:
	case nil:
		switch c := decoded.directory.(type) {
		case nil:
			of = ownEvents(gateway, decoded.audit)
		case directory.AdmitGateway:
			of = c.Node.ID
		case directory.PutKey, directory.RevokeKey, directory.ForgetKey, directory.PutToken, directory.RaiseAlerts,
			directory.WriteKey, directory.RotateKey, directory.TouchKeys, directory.AdmitChildren,
			directory.PutObject, directory.DeleteObject:
		default:
			return fmt.Errorf("%w: a gateway does not forward %T", ErrNotProposed, c)
		}
	default:
		return fmt.Errorf("%w: a gateway does not forward %T", ErrNotProposed, c)
	}
	if of != gateway {
		return fmt.Errorf("%w: gateway %s speaks for node %s", ErrNotProposed, gateway, of)
	}
	return nil
}

// ownEvents is whom a batch speaks for: the gateway, if it does so throughout.
func ownEvents(gateway ledger.NodeID, b *audit.Batch) ledger.NodeID {
	for i := range b.Events {
		if b.Events[i].Node != gateway {
			return b.Events[i].Node
		}
	}
	return b.Node
}
