package raftfsm

import (
	"fmt"

	"purser/internal/directory"
	"purser/ledger"
)

// MayForward reports why a gateway may not have a command carried out, or nil. It
// speaks for itself alone about leases and places, changes budgets, keys, objects and
// tokens as its admin API does, raises alerts, and says of keys what its requests show; what concerns other nodes, or the log and its
// replicas, is the members' affair. A command that cannot be read is left to
// [Proposer.Carry].
func MayForward(gateway ledger.NodeID, room Room, body []byte) error {
	decoded, err := message{room, body}.decode()
	if err != nil {
		return nil
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
