package raftfsm

import (
	"errors"
	"testing"

	"purser/internal/audit"
	"purser/internal/directory"
	"purser/ledger"
)

// TestAGatewaySpeaksForItself: it cannot end another node's leases, write another
// off, or set replicas against each other.
func TestAGatewaySpeaksForItself(t *testing.T) {
	node := directory.Node{ID: "g1", Address: "a:1"}
	other := directory.Node{ID: "n1", Address: "a:1"}
	for _, c := range []struct {
		m    message
		want bool
	}{
		{ledgerMessage(ledger.Register{Node: "g1"}), true},
		{ledgerMessage(ledger.Register{Node: "n1"}), false},
		{ledgerMessage(&ledger.Exchange{Node: "g1", Incarnation: 1, Seq: 1}), true},
		{ledgerMessage(&ledger.Exchange{Node: "n1", Incarnation: 1, Seq: 1}), false},
		{ledgerMessage(putBudget), true},
		{ledgerMessage(ledger.DeleteBudget{ID: "b"}), true},
		{ledgerMessage(ledger.Release{ID: "b"}), true},
		{ledgerMessage(ledger.PutRaise{}), true},
		{ledgerMessage(ledger.EndRaise{}), true},
		{ledgerMessage(ledger.TripBudget{}), true},
		{ledgerMessage(ledger.ResetBreaker{}), true},
		{ledgerMessage(ledger.Probed{}), true},
		{ledgerMessage(ledger.Tick{}), false},
		{ledgerMessage(ledger.Fence{Node: "n1"}), false},
		{ledgerMessage(ledger.Fence{Node: "g1"}), false},
		{ledgerMessage(ledger.Restore{Generation: 1}), false},
		{ledgerMessage(ledger.Checkpoint{Index: 1}), false},
		{directoryMessage(putKey), true},
		{directoryMessage(directory.RevokeKey{ID: "a"}), true},
		{directoryMessage(directory.ForgetKey{ID: "a"}), true},
		{directoryMessage(directory.WriteKey{Key: putKey.Key}), true},
		{directoryMessage(directory.RotateKey{ID: "a", Hash: directory.Hash{1}}), true},
		{directoryMessage(directory.TouchKeys{At: 1}), true},
		{directoryMessage(directory.AdmitChildren{Parent: "a"}), true},
		{directoryMessage(directory.PutToken{Expires: 1}), true},
		{directoryMessage(directory.AdmitGateway{Node: node}), true},
		{directoryMessage(directory.AdmitGateway{Node: other}), false},
		{directoryMessage(directory.AdmitNode{Node: node}), false},
		{directoryMessage(directory.SetNode{ID: "n1", State: directory.NodeRemoved}), false},
		{directoryMessage(directory.ForgetNodes{}), false},
		{directoryMessage(directory.RaiseAlerts{}), true},
		{directoryMessage(directory.NoteDeliveries{}), false},
		{auditedMessage(&audit.Facts{Node: "g1"}, directoryMessage(putKey)), true},
		{auditedMessage(&audit.Facts{Node: "n1"}, directoryMessage(putKey)), false},
		{auditedMessage(&audit.Facts{Node: "g1"}, ledgerMessage(ledger.Fence{Node: "n1"})), false},
		{auditMessage(&audit.Batch{Node: "g1", Events: []audit.Event{event("g1")}}), true},
		{auditMessage(&audit.Batch{Node: "n1", Events: []audit.Event{event("g1")}}), false},
		{auditMessage(&audit.Batch{Node: "g1", Events: []audit.Event{event("g1"), event("n1")}}), false},
	} {
		decoded, err := c.m.decode()
		if err != nil {
			t.Fatal(err)
		}
		err = MayForward("g1", c.m.room, c.m.body)
		if (err == nil) != c.want || err != nil && !errors.Is(err, ErrNotProposed) {
			t.Errorf("%+v: %v, want allowed %v", decoded, err, c.want)
		}
	}
	if err := MayForward("g1", RoomLedger, []byte{1, 99}); err != nil {
		t.Errorf("what cannot be read is Carry's to refuse: %v", err)
	}
}

func event(node ledger.NodeID) audit.Event {
	return audit.Event{Facts: audit.Facts{Node: node, Action: "policy.denied"}, Result: audit.Denied, Count: 1}
}
