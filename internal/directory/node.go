package directory

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"purser/ledger"
)

// Limits of the tables of nodes and tokens (L9). A removed node stays known:
// its name must not come back with other leases.
const (
	MaxNodes   = 4096
	MaxTokens  = 1024
	maxAddress = 256
	maxPlace   = 64
	// tokenKept is how long a token that is over is remembered, so that its use is
	// answered with why it is refused.
	tokenKept = 24 * ledger.Hour
)

// NodeState says what a node may do.
type NodeState uint8

// The states of a node.
const (
	NodeActive   NodeState = 1
	NodeDraining NodeState = 2 // takes no requests and returns its leases
	NodeRemoved  NodeState = 3 // for good: its certificate is refused
)

// String returns the state in a word.
func (s NodeState) String() string {
	switch s {
	case NodeActive:
		return "active"
	case NodeDraining:
		return "draining"
	case NodeRemoved:
		return "removed"
	default:
		return "unknown"
	}
}

// Role is what part a node has in the cluster, for good.
type Role uint8

// The roles.
const (
	Member  Role = 0 // it takes part in Raft, or may
	Gateway Role = 1 // it never does: it leases and serves
)

// String returns the role in a word.
func (r Role) String() string {
	if r == Gateway {
		return "gateway"
	}
	return "member"
}

// Node is a node of the cluster: who was let in, and where it is to be found.
type Node struct {
	ID      ledger.NodeID
	Store   ledger.StoreID // of its data directory; another one is another node
	Address string         // of its cluster port, as others reach it
	Region  string
	Zone    string
	Role    Role
	State   NodeState
	Joined  ledger.Instant
}

// Token lets one node in, once.
type Token struct {
	Hash    Hash // of its secret
	Expires ledger.Instant
	UsedBy  ledger.NodeID // "" while it is unused
}

// Validate reports every field that is out of its range.
func (n *Node) Validate() error {
	var errs []error
	if n.ID == "" || len(n.ID) > maxPlace {
		errs = append(errs, fmt.Errorf("node id has %d bytes, not 1 to %d", len(n.ID), maxPlace))
	}
	if n.Address == "" || len(n.Address) > maxAddress {
		errs = append(errs, fmt.Errorf("address has %d bytes, not 1 to %d", len(n.Address), maxAddress))
	}
	if len(n.Region) > maxPlace || len(n.Zone) > maxPlace {
		errs = append(errs, fmt.Errorf("region and zone have at most %d bytes", maxPlace))
	}
	return errors.Join(errs...)
}

// Node returns the node of this ID.
func (s *State) Node(id ledger.NodeID) (*Node, bool) {
	if i, ok := findNode(s.nodes, id); ok {
		return s.nodes[i], true
	}
	return nil, false
}

// Nodes returns every node that was ever let in, by ID. It must not be changed.
func (s *State) Nodes() []*Node { return s.nodes }

func findNode(list []*Node, id ledger.NodeID) (int, bool) {
	return slices.BinarySearchFunc(list, id, func(n *Node, id ledger.NodeID) int { return cmp.Compare(n.ID, id) })
}

func findToken(list []*Token, h Hash) (int, bool) {
	return slices.BinarySearchFunc(list, h, func(t *Token, h Hash) int { return bytes.Compare(t.Hash[:], h[:]) })
}

func (s *State) putToken(c *PutToken) Code {
	if c.Expires <= s.now {
		return InvalidCommand
	}
	kept := slices.DeleteFunc(slices.Clone(s.tokens), func(t *Token) bool { return t.Expires+tokenKept <= s.now })
	i, exists := findToken(kept, c.Hash)
	switch {
	case exists:
		return Unchanged
	case len(kept) >= MaxTokens:
		return LimitReached
	}
	s.version++
	s.tokens = slices.Insert(kept, i, &Token{Hash: c.Hash, Expires: c.Expires})
	return Applied
}

// admit lets a node in, or takes down where a known one is to be found now. The
// first node of a cluster needs no token, and is a member.
func (s *State) admit(n Node, token Hash, role Role) Code {
	if n.Validate() != nil {
		return InvalidCommand
	}
	at, known := findNode(s.nodes, n.ID)
	if known {
		switch old := s.nodes[at]; {
		case old.State == NodeRemoved:
			return NodeIsRemoved
		case old.Store != n.Store:
			return NodeTaken
		case old.Role != role:
			return RoleFixed
		}
	}
	if !known && len(s.nodes) >= MaxNodes {
		return LimitReached
	}
	tokens := s.tokens
	switch {
	case token != Hash{}:
		var code Code
		if tokens, code = s.useToken(token, n.ID); code != Applied {
			return code
		}
	case !known && (len(s.nodes) > 0 || role == Gateway):
		return UnknownToken
	}
	n.Role, n.State, n.Joined = role, NodeActive, s.now
	if known {
		n.State, n.Joined = s.nodes[at].State, s.nodes[at].Joined
		if n == *s.nodes[at] {
			return Unchanged // and its token is free for another
		}
	}
	s.version++
	s.tokens, s.nodes = tokens, slices.Clone(s.nodes)
	if known {
		s.nodes[at] = &n
	} else {
		s.nodes = slices.Insert(s.nodes, at, &n)
	}
	return Applied
}

// useToken returns the tokens with one marked as this node's. A node that did
// not hear the answer may use it again.
func (s *State) useToken(h Hash, id ledger.NodeID) ([]*Token, Code) {
	i, ok := findToken(s.tokens, h)
	if !ok {
		return nil, UnknownToken
	}
	switch t := s.tokens[i]; {
	case t.UsedBy == id:
		return s.tokens, Applied
	case t.UsedBy != "":
		return nil, TokenUsed
	case t.Expires <= s.now:
		return nil, TokenExpired
	}
	used := *s.tokens[i]
	used.UsedBy = id
	list := slices.Clone(s.tokens)
	list[i] = &used
	return list, Applied
}

func (s *State) setNode(c *SetNode) Code {
	at, ok := findNode(s.nodes, c.ID)
	switch {
	case c.State < NodeActive || c.State > NodeRemoved:
		return InvalidCommand
	case !ok:
		return UnknownNode
	case s.nodes[at].State == c.State:
		return Unchanged
	case s.nodes[at].State == NodeRemoved:
		return NodeIsRemoved
	}
	n := *s.nodes[at]
	n.State = c.State
	s.version++
	s.nodes = slices.Clone(s.nodes)
	s.nodes[at] = &n
	return Applied
}

func (s *State) forgetNodes() Code {
	if len(s.nodes)+len(s.tokens) == 0 {
		return Unchanged
	}
	s.version++
	s.nodes, s.tokens = nil, nil
	return Applied
}

func appendNode(b []byte, n *Node) []byte {
	b = appendString(b, string(n.ID))
	b = append(b, n.Store[:]...)
	b = appendString(b, n.Address)
	b = appendString(b, n.Region)
	return appendString(b, n.Zone)
}

func (r *reader) node() Node {
	n := Node{ID: ledger.NodeID(r.string())}
	copy(n.Store[:], r.take(len(n.Store)))
	n.Address, n.Region, n.Zone = r.string(), r.string(), r.string()
	return n
}

func (r *reader) hash() (h Hash) {
	copy(h[:], r.take(len(h)))
	return h
}

// nodeRecords yields the records of nodes and tokens.
func (s *State) nodeRecords(b []byte, yield func([]byte) bool) bool {
	for _, n := range s.nodes {
		kind := byte(recordNode)
		if n.Role == Gateway {
			kind = recordGateway
		}
		b = appendNode(append(b[:0], codecVersion, kind), n)
		b = appendInt(append(b, byte(n.State)), int64(n.Joined))
		if !yield(b) {
			return false
		}
	}
	for _, t := range s.tokens {
		b = append(append(b[:0], codecVersion, recordToken), t.Hash[:]...)
		b = appendString(appendInt(b, int64(t.Expires)), string(t.UsedBy))
		if !yield(b) {
			return false
		}
	}
	return true
}

func (s *State) loadNode(r *reader, role Role) error {
	n := r.node()
	n.Role = role
	n.State, n.Joined = NodeState(r.byte()), ledger.Instant(r.int())
	if r.bad {
		return nil // the caller says so
	}
	last := len(s.nodes) - 1
	if n.Validate() != nil || n.State < NodeActive || n.State > NodeRemoved || last+1 >= MaxNodes || last >= 0 && s.nodes[last].ID >= n.ID {
		return fmt.Errorf("directory record of node %q is out of order or range: %w", n.ID, ErrMalformed)
	}
	s.nodes = append(s.nodes, &n)
	return nil
}

func (s *State) loadToken(r *reader) error {
	t := Token{Hash: r.hash(), Expires: ledger.Instant(r.int()), UsedBy: ledger.NodeID(r.string())}
	if r.bad {
		return nil // the caller says so
	}
	last := len(s.tokens) - 1
	if last+1 >= MaxTokens || last >= 0 && bytes.Compare(s.tokens[last].Hash[:], t.Hash[:]) >= 0 {
		return fmt.Errorf("directory record of a token is out of order: %w", ErrMalformed)
	}
	s.tokens = append(s.tokens, &t)
	return nil
}
