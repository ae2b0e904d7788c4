package directory

import (
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"purser/ledger"
)

func admitted(id ledger.NodeID, store byte, token byte) AdmitNode {
	c := AdmitNode{Node: Node{ID: id, Store: ledger.StoreID{store}, Address: string(id) + ":7071"}}
	if token != 0 {
		c.Token = Hash{token}
	}
	return c
}

// TestK2ATokenLetsOneNodeInOnce is the life of a cluster's members, told in order.
func TestK2ATokenLetsOneNodeInOnce(t *testing.T) {
	s := New()
	moved := admitted("n2", 2, 0)
	moved.Node.Address = "elsewhere:7071"
	for i, step := range []struct {
		at   ledger.Instant
		c    Command
		want Code
	}{
		{1, SetNode{ID: "n1", State: NodeDraining}, UnknownNode},
		{1, admitted("n1", 1, 9), UnknownToken},
		{1, admitted("n1", 1, 0), Applied}, // the first needs none
		{1, admitted("n2", 2, 0), UnknownToken},
		{2, PutToken{Hash: Hash{1}, Expires: 2}, InvalidCommand}, // over already
		{2, PutToken{Hash: Hash{1}, Expires: 100}, Applied},
		{2, PutToken{Hash: Hash{1}, Expires: 200}, Unchanged},
		{3, admitted("n1", 7, 1), NodeTaken}, // a wiped directory under the old name
		{3, admitted("n2", 2, 1), Applied},
		{4, admitted("n2", 2, 1), Unchanged}, // it did not hear the answer
		{4, admitted("n3", 3, 1), TokenUsed},
		{5, PutToken{Hash: Hash{2}, Expires: 50}, Applied},
		{50, admitted("n3", 3, 2), TokenExpired},
		{51, moved, Applied},
		{52, SetNode{ID: "n2", State: NodeDraining}, Applied},
		{52, SetNode{ID: "n2", State: NodeDraining}, Unchanged},
		{53, SetNode{ID: "n2", State: NodeActive}, Applied},
		{54, SetNode{ID: "n2", State: NodeRemoved}, Applied},
		{55, SetNode{ID: "n2", State: NodeActive}, NodeIsRemoved},
		{56, admitted("n2", 2, 1), NodeIsRemoved},
		{57, SetNode{ID: "n1", State: 9}, InvalidCommand},
		{58, admitted("", 3, 2), InvalidCommand},
		{59 + tokenKept, PutToken{Hash: Hash{4}, Expires: 100 * tokenKept}, Applied}, // sweeps those that are over
		{59 + tokenKept, admitted("n3", 3, 2), UnknownToken},
	} {
		before := s.Version()
		if got := s.Apply(step.at, step.c).Code; got != step.want || (s.Version() > before) != (got == Applied) {
			t.Fatalf("step %d, %+v: %v, want %v (version %d, then %d)", i, step.c, got, step.want, before, s.Version())
		}
	}
	n, ok := s.Node("n2")
	if !ok || n.Address != "elsewhere:7071" || n.State != NodeRemoved || n.Joined != 3 {
		t.Errorf("n2 is %+v, %v", n, ok)
	}
}

func gatewayAdmitted(id ledger.NodeID, store byte, token byte) AdmitGateway {
	return AdmitGateway(admitted(id, store, token))
}

// TestANodeKeepsItsRole is the life of a gateway, told in order: it comes in by token
// like a member, never as the first node, and is never anything else.
func TestANodeKeepsItsRole(t *testing.T) {
	s := New()
	moved := gatewayAdmitted("g1", 3, 0)
	moved.Node.Address, moved.Node.Role = "elsewhere:7071", Member // which is ignored
	for i, step := range []struct {
		c    Command
		want Code
	}{
		{gatewayAdmitted("g1", 3, 0), UnknownToken}, // a cluster begins with a member
		{admitted("n1", 1, 0), Applied},
		{gatewayAdmitted("g1", 3, 0), UnknownToken},
		{gatewayAdmitted("", 3, 1), InvalidCommand},
		{PutToken{Hash: Hash{1}, Expires: 100}, Applied},
		{PutToken{Hash: Hash{2}, Expires: 100}, Applied},
		{gatewayAdmitted("n1", 1, 1), RoleFixed},
		{gatewayAdmitted("g1", 3, 1), Applied},
		{gatewayAdmitted("g1", 3, 1), Unchanged},
		{gatewayAdmitted("g2", 4, 1), TokenUsed},
		{admitted("g1", 3, 2), RoleFixed},
		{admitted("g1", 9, 2), NodeTaken},
		{moved, Applied},
		{SetNode{ID: "g1", State: NodeRemoved}, Applied},
		{gatewayAdmitted("g1", 3, 2), NodeIsRemoved},
		{admitted("n2", 2, 2), Applied}, // the token is still good
	} {
		if got := s.Apply(ledger.Instant(i+1), step.c).Code; got != step.want {
			t.Fatalf("step %d, %+v: %v, want %v", i, step.c, got, step.want)
		}
	}
	g, _ := s.Node("g1")
	m, _ := s.Node("n1")
	if g.Role != Gateway || g.Address != "elsewhere:7071" || m.Role != Member {
		t.Errorf("g1 is %+v, n1 is %+v", g, m)
	}
}

// TestK2NoTokenServesTwo: whatever is asked, a token admits one node at most, an
// ID keeps its store and its role, and a removed node stays removed.
func TestK2NoTokenServesTwo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := New()
		stores := map[ledger.NodeID]ledger.StoreID{}
		removed := map[ledger.NodeID]bool{}
		users := map[Hash]ledger.NodeID{}
		roles := map[ledger.NodeID]Role{}
		for range rapid.IntRange(1, 40).Draw(t, "commands") {
			c := drawNodeCommand(t)
			_, known := s.Node(nodeOf(c))
			code := s.Apply(ledger.Instant(rapid.IntRange(0, 60).Draw(t, "now")), c).Code
			if back, err := DecodeCommand(AppendCommand(nil, c)); err != nil || !reflect.DeepEqual(back, c) {
				t.Fatalf("%+v came back as %+v, %v", c, back, err)
			}
			a, ok := c.(AdmitNode)
			role := Member
			if g, is := c.(AdmitGateway); is {
				a, ok, role = AdmitNode(g), true, Gateway
			}
			if ok && code == Applied {
				if was, ok := roles[a.Node.ID]; ok && was != role {
					t.Fatalf("node %s changed its role", a.Node.ID)
				}
				roles[a.Node.ID] = role
				if n, _ := s.Node(a.Node.ID); n.Role != role {
					t.Fatalf("node %s is a %s", a.Node.ID, n.Role)
				}
				if was, ok := stores[a.Node.ID]; ok && was != a.Node.Store {
					t.Fatalf("node %s changed its store", a.Node.ID)
				}
				stores[a.Node.ID] = a.Node.Store
				if user, used := users[a.Token]; used && user != a.Node.ID {
					t.Fatalf("token of %s admitted %s", user, a.Node.ID)
				}
				if (a.Token != Hash{}) {
					users[a.Token] = a.Node.ID
				} else if !known && len(s.Nodes()) > 1 {
					t.Fatalf("node %s came in without a token", a.Node.ID)
				}
			}
			if r, ok := c.(SetNode); ok && code == Applied && r.State == NodeRemoved {
				removed[r.ID] = true
			}
			for id := range removed {
				if n, ok := s.Node(id); !ok || n.State != NodeRemoved {
					t.Fatalf("node %s came back", id)
				}
			}
		}
		back, err := Load(fromRecords(s.Records()))
		if err != nil || back.Digest() != s.Digest() || !reflect.DeepEqual(back.Nodes(), s.Nodes()) || len(back.tokens) != len(s.tokens) {
			t.Fatalf("the state does not survive its records: %v", err)
		}
	})
}

// TestARestoredDirectoryBelongsToNoCluster: the nodes and tokens of a lost cluster
// are forgotten, its keys are not, and the first node comes in without a token.
func TestARestoredDirectoryBelongsToNoCluster(t *testing.T) {
	s := New()
	for i, c := range []Command{admitted("n1", 1, 0), PutToken{Hash: Hash{1}, Expires: 100}, admitted("n2", 2, 1), PutKey{Key: testKey("k")}, ForgetNodes{}} {
		if code := s.Apply(ledger.Instant(i+1), c).Code; code != Applied {
			t.Fatalf("step %d: %v", i, code)
		}
	}
	if len(s.Nodes()) != 0 || len(s.tokens) != 0 || s.Len() != 1 {
		t.Errorf("%d nodes, %d tokens, %d keys", len(s.Nodes()), len(s.tokens), s.Len())
	}
	for i, step := range []struct {
		c    Command
		want Code
	}{{ForgetNodes{}, Unchanged}, {admitted("n1", 1, 0), Applied}, {admitted("n2", 2, 1), UnknownToken}} {
		if code := s.Apply(10, step.c).Code; code != step.want {
			t.Errorf("afterwards, step %d: %v", i, code)
		}
	}
}

func nodeOf(c Command) ledger.NodeID {
	switch c := c.(type) {
	case AdmitNode:
		return c.Node.ID
	case AdmitGateway:
		return c.Node.ID
	case SetNode:
		return c.ID
	}
	return ""
}

func TestL9NodesAndTokensAreBounded(t *testing.T) {
	s := New()
	for i := range MaxTokens {
		if code := s.Apply(1, PutToken{Hash: Hash{byte(i), byte(i >> 8), 1}, Expires: 100}).Code; code != Applied {
			t.Fatalf("token %d: %v", i, code)
		}
	}
	if code := s.Apply(1, PutToken{Hash: Hash{9, 9, 9}, Expires: 100}).Code; code != LimitReached {
		t.Errorf("one more token: %v", code)
	}
	s = New()
	for i := range MaxNodes {
		s.nodes = append(s.nodes, &Node{ID: ledger.NodeID(fmt.Sprintf("n%05d", i)), Address: "a:1", State: NodeActive})
	}
	s.Apply(1, PutToken{Hash: Hash{1}, Expires: 100})
	if code := s.Apply(1, admitted("x", 1, 1)).Code; code != LimitReached {
		t.Errorf("one more node: %v", code)
	}
}

func TestAClonedDirectoryKeepsItsNodes(t *testing.T) {
	s := New()
	s.Apply(1, admitted("n1", 1, 0))
	c := s.Clone()
	before := c.Digest()
	s.Apply(2, PutToken{Hash: Hash{1}, Expires: 100})
	s.Apply(2, admitted("n2", 2, 1))
	s.Apply(3, SetNode{ID: "n1", State: NodeRemoved})
	if c.Digest() != before {
		t.Error("the clone changed")
	}
}
