package node

import "purser/cluster/peer"

// topics are what other nodes can ask this one about, as long as it runs. What a topic
// needs may not be there yet when it is asked first.
func (n *Node) topics() map[string]peer.Topic {
	return map[string]peer.Topic{
		copyTopic:     n.takeCopies,
		heldTopic:     n.tellHeld,
		totalsTopic:   n.tellTotals,
		recordsTopic:  n.tellRecords,
		findTopic:     n.tellFound,
		adjustedTopic: n.tellAdjusted,
		chargedTopic:  n.tellCharged,
		liveTopic:     n.tellLive,
	}
}
