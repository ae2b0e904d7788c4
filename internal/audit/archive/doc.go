// Package archive keeps a node's copy of the whole audit trail in its store.
//
// It writes what the replicated trail shows, in order and without gaps, and says when
// it lacks something that the trail does not reach back to; it asks nobody for it. It
// trusts nothing that it reads: what a chain says about itself is for [audit.Verify].
//
// # Shape
//
// The entries from after the anchor to the last. The anchor is the head of the last
// entry that was dropped because of its age, or the zero head: with it the rest can be
// verified to its first entry. Entries that turned out not to be of the chain, because
// the node's cluster was restored from a backup of before them or because somebody
// changed them, are set aside and never thrown away.
//
// # Stored form
//
//	'a' 'h'                  anchor: version=1, seq, hash
//	'a' 'e' seq(8)           an entry's link
//	'a' 'x' seq(8) hash(32)  what was set aside: as it was stored, and its SHA-256
//
// # Concurrency
//
// Writers are one goroutine; reading is safe at any time.
//
// # Tests
//
// Every byte of a store's entries changed, every one of them removed, exchanged,
// repeated and put in; restarts, forks and drops against a list.
package archive
