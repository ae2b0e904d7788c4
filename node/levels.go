package node

import (
	"slices"
	"sync"

	"purser/api/pb"
	"purser/internal/directory"
	"purser/raftfsm"
)

// levels is what the other nodes have said they can read, while this one leads.
type levels struct {
	mu   sync.Mutex
	said map[string]uint32 // by node; as many as answer
}

func (l *levels) note(answers map[string]*pb.ProgressReply) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.said == nil {
		l.said = map[string]uint32{}
	}
	for id, said := range answers {
		l.said[id] = said.Level
	}
}

func (l *levels) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said = nil
}

func (l *levels) of(node string) uint32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.said[node]
}

// readable reports whether commands of a level may be put into the log: all have said
// that they read it, or one of it is in the log already. So a member that is down, and
// has said nothing to a new leader, does not keep rules from being changed.
func (m *member) readable(level uint32) bool {
	return level <= levelIn(m.n.fsm.Directory()) || m.allRead(level)
}

// levelIn is a level of which there are commands in the log, or in a snapshot that
// every replica reads, as far as what they left shows.
func levelIn(d *directory.State) uint32 {
	isGateway := func(n *directory.Node) bool { return n.Role == directory.Gateway }
	isLever := func(k directory.ObjectKind) bool { return k >= directory.ObjectLever }
	routed := func() bool {
		for o := range d.Objects(directory.ObjectRoute) {
			if raftfsm.ObjectLevel(o.Kind, o.Spec) == raftfsm.LeverLevel {
				return true
			}
		}
		return false
	}
	switch {
	case slices.ContainsFunc(d.ObjectKinds(), isLever) || routed():
		return raftfsm.LeverLevel
	case d.Governed():
		return raftfsm.GovernanceLevel
	case slices.ContainsFunc(d.Nodes(), isGateway):
		return raftfsm.GatewayLevel
	default:
		return 0
	}
}

// allRead reports whether every other node of Raft's configuration has said that
// it reads commands of a level.
func (m *member) allRead(level uint32) bool {
	servers, err := m.raft.Servers()
	if err != nil {
		return false
	}
	for _, s := range servers {
		if s.ID != m.n.cfg.Node.ID && m.levels.of(s.ID) < level {
			return false
		}
	}
	return true
}
