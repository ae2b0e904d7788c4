// Package audit is the replicated record of who changed what: a chain of entries,
// each of which carries the hash of the one before it.
//
// It stores nothing and asks nobody: it is the vocabulary ([Entry]), the chain
// ([Link], [Verify]) and the part of it that every replica holds ([Trail]). Package
// archive keeps the whole chain on a node's disk, package export writes it for other
// programs, package recorder gathers what is not a change.
//
// # Vocabulary
//
// [Facts] are what the node that was asked says of a change: who, from where, what
// and to what. An [Event] is facts and how they ended; an [Entry] is an event in its
// place in the chain. [Head] is a place and the hash there: it stands for everything
// up to it.
//
// # What holds
//
//   - A1 An entry is found by its place, and its hash covers all of it and the hash
//     before it: h(n) = SHA-256(h(n-1) || stored form of n), h(0) = 0. An entry that
//     is changed, removed, moved or put in does not fit its neighbours.
//   - What nobody can see in a chain alone is that it was made anew from some entry
//     on, or that its end was cut off. That takes a head that was noted elsewhere:
//     the other nodes' and the operator's.
//   - L8 Determinism: the same records in the same order give the same [Trail.Digest].
//     Nothing here reads a clock, a map's order or a random source.
//   - L9 Bounded: a trail holds at most [MaxRecent] entries and [MaxRecentBytes], and
//     one source for each of [MaxSources] nodes. Every field of an entry has a limit.
//   - L10 Total: what was decoded can be appended.
//   - L4 A batch that is repeated under its number is not counted twice.
//
// # Concurrency
//
// A Trail belongs to one goroutine. Its clones may be read by any number of
// goroutines while the original grows.
//
// # Stored form
//
// Entries, facts, batches, links and records begin with a version byte; integers are
// varints, strings carry their length, hashes are raw. testdata keeps the bytes of
// every version. The stored form of an entry is what its hash covers, so that a later
// version of it is another form of later entries, never of those there are.
//
// # Tests
//
// Every single edit of random chains is found, in memory here, in files in package
// export and in the bytes of a store in package archive; a naive twin of the trail;
// golden bytes; fuzzing of the decoders.
package audit
