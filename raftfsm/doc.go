// Package raftfsm carries commands to the replicated state: the ledger, the
// directory and the audit trail, held together in one state machine ([FSM]) under
// the Raft log, and the [Proposer] that puts commands into that log.
//
// It decides nothing about money or keys, and knows neither how entries travel
// nor who asks. It is the one place where ledger time is read from a clock.
//
// # What holds
//
//   - L7 Ledger time: a stamp is never earlier than one before it, and never runs
//     further ahead than this node's monotonic clock allows; see stamp.go.
//   - L8 Determinism: [FSM.Apply] depends on the entry and the state alone. The
//     same log gives the same [FSM.Digests] on every node, with or without
//     snapshots in between.
//   - L4 Ambiguity is not refusal: an error that does not rule out that the entry
//     is applied is [ErrAmbiguous]; the caller repeats the same command.
//   - A command that comes with the facts of a change, and its entry in the audit
//     trail, are one entry of the log; see witness.go.
//   - L10 Total: an entry that cannot be understood stops the node. Apply panics
//     on an unknown version, shard, room or kind, on a checksum that does not
//     fit, and on an index that was applied before. To skip an entry would be to
//     diverge, and to answer with an error would be to skip it.
//   - A snapshot is restored whole or not at all: the present state is replaced
//     only after every frame, both digests and the end of the input were checked.
//
// # Formats
//
// entry.go has the layout of an entry, snapshot.go that of a snapshot. Both begin
// with a version; testdata keeps the bytes of every version, and a test decodes them.
//
// # Concurrency
//
// Raft calls Apply, Snapshot and Restore from one goroutine. Everything else may
// be called from any. [FSM.Ledger] and [FSM.Directory] return states that no
// longer change. Readers wait at most for the entry that is being applied;
// subscribers never make it wait.
//
// Locks: FSM.mu and Proposer.mu are never held together, nor while calling out.
//
// # Tests
//
// Same log, same digest, over random commands and random snapshot points; every
// byte of a snapshot damaged in turn; golden bytes; a real Raft in package
// cluster's stead, restarted; the stamping clock against scripted time.
package raftfsm
