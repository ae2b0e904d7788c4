// Package qdrant is the tier of the semantic cache that nodes have in common: points
// in a Qdrant server, behind each node's own index. It implements [semantic.Shared].
//
// It decides nothing about answers. It finds the nearest valid points of a scope, and
// keeps what it is given; the payload of an entry is sealed before it comes here.
//
// # What is stored
//
// One collection for each embedder, named by [Collection]: its points have cosine
// vectors of that embedder's dimension. A graph is built for each tenant alone (m = 0,
// payload_m = 16). A point:
//
//	id      UUID version 5 of the scope and the entry's id: a write that is repeated,
//	        or made by two nodes, is one point
//	vector  float32
//	v       integer: the version of this form, 1
//	tenant  SHA-256 of the tenant's name, in hex; the index that partitions
//	scope   the scope, in hex
//	exp     integer: the second, in Unix time, from which the entry is not valid
//	id      the entry's id, in hex
//	entry   the sealed entry, in base64: Qdrant's values have no bytes
//
// # Rules
//
//   - A fault is a miss. [Tier.Nearest] returns within the timeout, 50 ms by default. A
//     breaker ends the asking when answers fail or are late, and while it is open a
//     lookup costs one load. No request pays for finding out whether the server is back.
//   - No answer crosses a tenant: both hashes are in the filter, and each point that
//     comes back is held against what was asked for once more.
//   - [Tier.Store] never waits. The queue is bounded, the oldest goes first; retries are
//     bounded. All of it is counted.
//   - [Tier.Forget] passes through the goroutine that writes, so that nothing this node
//     had in its queue comes back. Another node may write for as long as it has not heard
//     of an invalidation: for that, epochs are in the scope.
//   - Errors and logs have names of states, codes and counts; never a vector, a payload, a
//     hash or a name of a tenant.
//
// # Goroutines
//
// [Open] starts three, which [Tier.Close] waits for: keep connects, looks at the server
// and sets the collection up; write owns the queue's far end; sweep deletes what has
// expired, on one node of the cluster.
package qdrant
