// Package cluster is the tests of several nodes at once, with everything real
// between the request path and the disk: hashicorp/raft through package cluster,
// mTLS and gRPC over TCP links that can be held and cut, the replicated state
// machine and its proposers, a purse for each node, its marks and usage records in
// Pebble. Nodes are killed: their memory is gone, and their Pebble file system
// loses what was not synced. The provider is the test's own, and its bill is the
// judge, with the checkers of package check.
//
// One seed draws the workload and the faults, and is printed. It does not decide
// how goroutines are scheduled and when the disk is done: a run with the same seed
// has the same faults in the same order, and may go differently. A violation is
// one all the same; the simulation in one goroutine is what repeats exactly.
//
// What is not real: a node's HTTP edge, the clocks of machines (all nodes share
// one), the loss of Raft's log (its files are on the machine's own disk and are
// never cut off), and the time between a fault and the next.
package cluster
