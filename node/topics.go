package node

import "purser/cluster/peer"

// topics are what other nodes can ask this one about, as long as it runs. What a topic
// needs may not be there yet when it is asked first.
func (n *Node) topics() map[string]peer.Topic {
	return map[string]peer.Topic{
		topicOutcomes:       n.sayOutcomes,
		topicOutcomesFind:   n.findOutcomes,
		topicOutcomesBrings: n.broughtOutcomes,
		topicRevenue:        n.tellRevenue,
		topicRevenueRevise:  n.reviseRevenue,
		topicUsageCopy:      n.takeCopies,
		topicUsageHeld:      n.tellHeld,
		topicUsageTotals:    n.tellTotals,
		topicUsageRecords:   n.tellRecords,
		topicUsageFind:      n.tellFound,
		topicAnomalyBin:     n.tellBin,
		topicUsageAdjusted:  n.tellAdjusted,
		topicUsageCharged:   n.tellCharged,
		topicUsageLive:      n.tellLive,
		topicCheckpoint:     n.tellCheckpoint,
		topicBudgetHeld:     n.tellBudgetHeld,
		topicOnceClaim:      n.tellClaim,
		topicOnceReport:     n.takeReport,
		topicOnceWord:       n.tellWord,
	}
}
