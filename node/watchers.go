package node

import "purser/internal/record"

// watchers are those who see each finished request of this node; see journal.
func (n *Node) watchers() []func(*record.Record) {
	return []func(*record.Record){n.live.See}
}
