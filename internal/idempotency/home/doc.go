// Package home keeps what a node knows of idempotency keys in its store: the claims
// it has granted, the answers, and what it still has to tell other nodes.
//
// It decides nothing that [purser/internal/idempotency] can, and reaches no other
// node. What it keeps of an answer is sealed.
//
// # Keys
//
//	'k' 'c' key(32)           what is known of a key
//	'k' 'a' key(32)           its answer, sealed
//	'k' 'x' until(8) key(32)  when its time is over
//	'k' 'o' token(16)         a report that other homes are still to have
//	'k' 'g' node              when a member was first seen to be removed
//	'k' 'q'                   until when nothing is granted: the store was rolled back
//
// # Durability
//
// A claim is synced before [Home.Claim] returns. How it ended may be lost in a crash:
// that leaves the claim, which stands for a call that may have been made. What another
// node has reported is synced, for that node forgets it then.
//
// # Time
//
// A key ends when both clocks that the node has say so: its own and the ledger's. One
// of them that jumps ahead ends nothing early.
//
// All methods are safe for concurrent use.
package home
