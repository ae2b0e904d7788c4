// Package workload is who uses the cluster in a run: budgets, keys, and clients of
// several kinds, each of which notes what it asked and what it was told.
package workload

import (
	"context"

	"purser/jepsen-style-tests/outside/history"
	"purser/jepsen-style-tests/outside/rig"
)

// Options say how busy a town is.
type Options struct {
	Seed  uint64
	Rate  float64 // requests a second at each node, of all workloads together
	Only  string  // names of workloads, separated by commas; "" for all
	Trace string  // file of recorded traffic to replay, "" for none
}

// Town is the budgets, keys and clients of a run.
type Town struct {
	Cluster *rig.Cluster
	History *history.History

	o Options
}

// New is a town without anything in it.
func New(c *rig.Cluster, h *history.History, o Options) *Town {
	return &Town{Cluster: c, History: h, o: o}
}

// Found makes budgets and keys, and waits until every node serves every key.
func (t *Town) Found(ctx context.Context) error { return nil }

// Run has all clients ask until ctx ends, and waits for what is under way.
func (t *Town) Run(ctx context.Context) { <-ctx.Done() }
