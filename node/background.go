package node

import "context"

// work starts what a node does as long as it runs; close waits for all of it.
func (n *Node) work(base context.Context) {
	n.background.Go(func() { n.keepHouse(base) })
	n.background.Go(func() { n.rollUsage(base) })
	n.background.Go(func() { n.current.watch(base) })
	n.background.Go(func() { n.touchKeys(base) })
	n.background.Go(func() { n.keepOwners(base) })
	if o := n.once.Load(); o != nil {
		n.background.Go(func() { o.work(base) })
	}
	n.background.Go(func() { n.reportProbes(base) })
	n.background.Go(func() { n.keepPace(base) })
	n.background.Go(func() { n.outcomes.Load().watch(base) })
	if n.anomalies != nil {
		n.background.Go(func() { n.anomalies.watch(base) })
	}
	n.background.Go(func() { n.exporting.run(base) })
	n.background.Go(func() { n.proposer.Sweep(base, tickEvery, n.raft.Leader) })
	n.background.Go(func() { n.recorder.Run(base) })
	if n.copies != nil {
		n.copies.Start()
		n.background.Go(func() { n.countCharges(base) })
	}
	if n.trail != nil {
		n.background.Go(func() { n.keepTrail(base) })
	}
	for _, work := range append(n.duties(), n.alerts.work()...) {
		n.background.Go(func() { work(base) })
	}
}

// duties are what a node of a cluster does as long as it runs.
func (n *Node) duties() []func(context.Context) {
	switch m, f := n.member, n.follower; {
	case m != nil:
		return []func(context.Context){m.lead, m.nudge, m.renew, m.obey, m.compare}
	case f != nil:
		return []func(context.Context){f.renew, f.obey}
	default:
		return nil
	}
}
