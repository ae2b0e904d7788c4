// Package copies keeps what a node has of its own on one peer, too, so that a disk that is
// lost takes nothing with it that the peer had.
//
// It is not replication: nobody waits for it, nothing is decided by it, and it may be behind.
// How far is told by [Copies.Lag]. What is copied are keys and values of the node's store, of
// the kinds that [Part]s describe, byte for byte.
//
// # How
//
// Who writes a thing puts a note of it, [Copies.Note], into the same batch: the queue of what
// is still to be sent is as durable as the thing. The sender reads notes, sends what they
// name, and removes them when the peer has it on disk. A peer that is away costs a note for
// each thing that waits, on disk, and no memory.
//
// The peer of a node is drawn from the directory alone ([Choose]), so that all nodes know it.
// When it changes, and when a peer does not know the copies that this node thinks it has,
// everything is sent again, in the order of keys and at a bounded rate, beside what is new.
// All that is sent can be sent twice.
//
// Of a node that was removed, whoever has copies passes them on to the first node in the order
// of [Rank] that is not itself: they are on two disks again.
//
// # What a peer knows of its copies
//
// A [Held] says for each origin up to when the copies are known to be whole, whether
// everything from before the copying began is there, too, and whether the origin has stopped
// in order and said so.
//
// # Concurrency
//
// All exported methods are safe for concurrent use. [Copies.Start] begins the one goroutine,
// [Copies.Stop] and
// [Copies.Close] end it and wait.
//
// # Failure contract
//
// A node that does not answer, or has no room, is tried again later, ever more slowly, up to
// every half minute. A fault here is logged once until it is over, and never reaches those who
// write. A store that fails ends the process, as always.
//
// # Tests
//
// Stores in memory that push to each other, with peers that are away, forget, or are full.
package copies
