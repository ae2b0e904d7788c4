package node

import (
	"testing"

	"purser/api/pb"
	"purser/internal/directory"
	"purser/raftfsm"
)

// TestWhatNodesSaidIsOfThePresentTerm: a leader goes by what it was told while it
// leads, and by the latest; of a node that said nothing it knows nothing.
func TestWhatNodesSaidIsOfThePresentTerm(t *testing.T) {
	var l levels
	l.note(map[string]*pb.ProgressReply{"n2": {Level: 2}, "n3": {Level: 3}})
	l.note(map[string]*pb.ProgressReply{"n2": {Level: 3}}) // n3 is silent now
	if l.of("n2") != 3 || l.of("n3") != 3 || l.of("n4") != 0 {
		t.Errorf("n2 reads %d, n3 %d, n4 %d", l.of("n2"), l.of("n3"), l.of("n4"))
	}
	l.forget()
	if l.of("n3") != 0 {
		t.Error("what was said to an earlier leader counts")
	}
}

// TestWhatIsInTheLogCanBeProposed: a member that is down says nothing to a new leader,
// and has read what the log has.
func TestWhatIsInTheLogCanBeProposed(t *testing.T) {
	gateway := directory.New()
	gateway.Apply(1, directory.AdmitNode{Node: directory.Node{ID: "n1", Address: "a:1"}})
	if levelIn(gateway) != 0 {
		t.Errorf("a member alone: %d", levelIn(gateway))
	}
	gateway.Apply(1, directory.PutToken{Hash: directory.Hash{1}, Expires: 9})
	gateway.Apply(1, directory.AdmitGateway{Node: directory.Node{ID: "g1", Address: "g:1"}, Token: directory.Hash{1}})
	object, raised := directory.New(), directory.New()
	object.Apply(1, directory.PutObject{Ref: directory.Ref{Kind: directory.ObjectOrg, ID: "a"}, Expect: directory.AnyVersion, Spec: []byte("{}")})
	lever := directory.New()
	lever.Apply(1, directory.PutObject{Ref: directory.Ref{Kind: directory.ObjectLever, ID: "a"}, Expect: directory.AnyVersion, Spec: []byte("{}")})
	routed, alias := directory.New(), directory.New()
	routed.Apply(1, directory.PutObject{Ref: directory.Ref{Kind: directory.ObjectRoute, ID: "a"}, Expect: directory.AnyVersion, Spec: []byte(`{"candidates":[{"model":"m"}]}`)})
	alias.Apply(1, directory.PutObject{Ref: directory.Ref{Kind: directory.ObjectRoute, ID: "a"}, Expect: directory.AnyVersion, Spec: []byte(`{"model":"m"}`)})
	raised.Apply(1, directory.RaiseAlerts{Raises: []directory.Raise{{Key: "k", Rank: 1, Until: 9, Type: "t", Body: []byte("{}")}}})
	raised.Apply(20, directory.RaiseAlerts{Raises: []directory.Raise{{Key: "k"}}})
	children := directory.New()
	children.Apply(1, directory.WriteKey{Key: directory.Key{ID: "k", Hash: directory.Hash{1}, Public: [32]byte{2}, Scopes: directory.ScopeMint}})
	if out := children.Apply(1, directory.AdmitChildren{Parent: "k", Children: []directory.Child{{ID: directory.ChildID{3}, Generation: 1, Slice: 1, Expires: 9}}}); out.Code != directory.Applied {
		t.Fatal(out.Code)
	}
	for name, c := range map[string]struct {
		state *directory.State
		want  uint32
	}{
		"nothing": {directory.New(), 0}, "a gateway": {gateway, raftfsm.GatewayLevel},
		"an object": {object, raftfsm.GovernanceLevel}, "a lever": {lever, raftfsm.LeverLevel}, "a route with candidates": {routed, raftfsm.LeverLevel}, "another name of a model": {alias, raftfsm.GovernanceLevel}, "a child of a key": {children, raftfsm.GovernanceLevel}, "an alert that is over": {raised, raftfsm.GovernanceLevel},
	} {
		if got := levelIn(c.state); got != c.want {
			t.Errorf("%s: level %d, want %d", name, got, c.want)
		}
	}
}
