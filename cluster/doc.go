// Package cluster runs this node's Raft: who is here, who leads, and the
// replicated log. It moves bytes. What they mean is the state machine's affair
// (package raftfsm), and no money is known here.
//
// It is hashicorp/raft on raft-boltdb with file snapshots. A node without
// [Peers] is alone: a cluster of one voter that opens no port. With them it
// founds a cluster or waits to be added to one, over connections on which both
// ends have proved who they are (cluster/port, cluster/pki); what nodes ask each
// other beside Raft is in cluster/peer.
//
// The leader keeps Raft's configuration as it should be: [Plan] says the next
// change, [Node.Change] carries it out. Leases have no part in it.
//
// # Faults of the library that are kept out
//
//   - transport.go: heartbeats take the same path as every other message. The
//     library's fast path changes term and state on the transport's goroutine;
//     a leader waiting for work then stores the next entry under a term that it
//     does not lead, and state machines diverge (hashicorp/raft issue 695).
//   - vote.go: a vote is one write. The library makes two; after a crash between
//     them the earlier candidate gets a vote of the new term without its log
//     being looked at (issue 661).
//   - guard.go: a log store that stalls or fails ends the process. The library's
//     leader keeps sending heartbeats while its disk hangs, so that no other
//     node takes over (issues 503, 666).
//   - snapshots.go: a damaged newest snapshot is passed over only when the log
//     leads from the older one to the present. The library would start from it
//     whatever the log says.
//
// # What holds
//
//   - A node is bootstrapped once in its life, or waits to be added and never is.
//     Where the state should be and is not, [Open] refuses with
//     [ErrStateMissing]; it never starts afresh.
//   - A change of the configuration never takes away a quorum that answers.
//   - Who has applied what [Node.ReadIndex] returned has applied every entry that
//     was acknowledged before the call.
//   - An entry is acknowledged after it was synced to disk; there is no option
//     to do without.
//   - After [Node.Close] returns, none of this node's goroutines runs.
//
// # On disk
//
//	raft.db        log and votes (bbolt: no freelist sync, freelist as a map)
//	snapshots/     the newest two
//	member.json    this directory belongs to a member, or to one that waits to be
//
// # Concurrency
//
// All methods of [Node] may be called from any goroutine. The state machine is
// called from one goroutine of the library; its Snapshot result is written from
// another while entries go on being applied.
//
// # Failure contract
//
// [Open] returns [ErrStateMissing], [ErrCorrupt], [ErrLocked] or [ErrOtherNode]
// with what to do. [Node.Apply] returns the library's errors wrapped; most of
// them leave the outcome open. A disk that stalls or fails is told to
// [Config.Exit], which does not return in production.
//
// # Tests
//
// Each wrapper has a test that fails, or shows the fault, without it; a real
// Raft is restarted, snapshotted, damaged and refused on temporary directories;
// groups of real nodes are cut apart, killed and healed. The plan is a table, and
// a property: it ends, and keeps the quorum.
package cluster
