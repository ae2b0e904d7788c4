package cluster

import (
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// Server is a node as Raft's configuration has it.
type Server struct {
	ID      string
	Address string
	Voter   bool
}

// Servers returns Raft's configuration, as this node knows it. It includes a
// change that is not committed yet.
func (n *Node) Servers() ([]Server, error) {
	f := n.raft.GetConfiguration()
	if err := f.Error(); err != nil {
		return nil, fmt.Errorf("raft's configuration: %w", err)
	}
	var list []Server
	for _, s := range f.Configuration().Servers {
		list = append(list, Server{ID: string(s.ID), Address: string(s.Address), Voter: s.Suffrage == raft.Voter})
	}
	return list, nil
}

// whois returns which node is at an address, or "".
func (n *Node) whois(address raft.ServerAddress) raft.ServerID {
	r := n.running.Load()
	if r == nil {
		return ""
	}
	f := r.GetConfiguration()
	if f.Error() != nil {
		return ""
	}
	for _, s := range f.Configuration().Servers {
		if s.Address == address {
			return s.ID
		}
	}
	return ""
}

// LeaderNode returns who leads, as far as this node knows; "" for nobody.
func (n *Node) LeaderNode() (id, address string) {
	a, i := n.raft.LeaderWithID()
	return string(i), string(a)
}

// changeWait bounds the wait for a change of the configuration to be taken up.
const changeWait = 5 * time.Second

// Change is one step of Raft's configuration; see [Plan].
type Change struct {
	Kind    ChangeKind
	ID      string
	Address string // of AddNonvoter and AddVoter
}

// ChangeKind says what a Change does.
type ChangeKind int

// The changes.
const (
	AddNonvoter ChangeKind = iota + 1 // or give a non-voter another address
	AddVoter                          // or give a voter another address
	Demote                            // a voter stays as a non-voter
	Remove
)

// String names the change for people.
func (k ChangeKind) String() string {
	return [...]string{"none", "add as non-voter", "make voter", "demote to non-voter", "remove"}[k]
}

// Change carries out one change of the configuration; this node must lead.
func (n *Node) Change(c Change) error {
	id, address := raft.ServerID(c.ID), raft.ServerAddress(c.Address)
	err := n.await(func() raft.Future {
		switch c.Kind {
		case AddNonvoter:
			return n.raft.AddNonvoter(id, address, 0, changeWait)
		case AddVoter:
			return n.raft.AddVoter(id, address, 0, changeWait)
		case Demote:
			return n.raft.DemoteVoter(id, 0, changeWait)
		case Remove:
			return n.raft.RemoveServer(id, 0, changeWait)
		default:
			panic(fmt.Sprintf("cluster: change of kind %d", c.Kind))
		}
	})
	if err != nil {
		return fmt.Errorf("%s %s: %w", c.Kind, c.ID, err)
	}
	return nil
}

// Transfer hands leadership over: to a node, or to any with "".
func (n *Node) Transfer(to string) error {
	err := n.await(func() raft.Future {
		if to == "" {
			return n.raft.LeadershipTransfer()
		}
		servers, err := n.Servers()
		if err != nil {
			return failed{err}
		}
		for _, s := range servers {
			if s.ID == to && s.Voter {
				return n.raft.LeadershipTransferToServer(raft.ServerID(to), raft.ServerAddress(s.Address))
			}
		}
		return failed{fmt.Errorf("node %s is no voter", to)}
	})
	if errors.Is(err, raft.ErrNotLeader) {
		return ErrNotLeader
	}
	if err != nil {
		return fmt.Errorf("hand leadership over: %w", err)
	}
	return nil
}

// ErrNotLeader is a question or a change that only the leader takes.
var ErrNotLeader = errors.New("this node does not lead")

// failed is a raft.Future of something that was not begun.
type failed struct{ err error }

// Error implements raft.Future.
func (f failed) Error() error { return f.err }
