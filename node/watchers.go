package node

import "purser/internal/record"

// watchers are those who see each finished request of this node; see journal.
func (n *Node) watchers() (list []func(*record.Record)) {
	if n.anomalies != nil {
		list = append(list, n.anomalies.see)
	}
	return list
}
