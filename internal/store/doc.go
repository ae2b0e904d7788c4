// Package store opens the node's one Pebble store and decides what a storage
// error means.
//
// It is not a database layer: it knows the prefixes of the keys, so that no two
// rooms draw the same one, but not what is behind them.
//
// # Key layout
//
// The first byte of a key names its room. Numbers inside keys are big-endian,
// so that their order is the order of the keys.
//
//	'i'                                identity: version, StoreID, schema
//	'm' 's'                            sequence of the high-water marks
//	'm' 'a' incarnation(4) account     one high-water mark            (purse, by way of node)
//	'p' incarnation(4) account         settled spending of one lease  (usage; a Merge key)
//	'o' incarnation(4) account         the part of that beyond the holds (usage; a Merge key)
//	'r' id(16) attempt(1)              usage record; id begins with its time (usage)
//	'R' length(1) node id(16) attempt(1) copy of another node's usage record (usage)
//	'q' 'k' at(8) number(4)            note of what is still to be copied: its key (copies)
//	'q' 'p' node                       how far the copying of a node's things to a peer is (copies)
//	'q' 'm' length(1) node sender      what is known of the copies of a node's things (copies)
//	'q' 'a' name                       the record of an adjustment (node)
//	'q' 'A' length(1) node …           copy of another node's, from 'a' on (node)
//	'q' 'l' node 0 at(8)               what a fenced node may have spent without a record (node)
//	'q' 'L' length(1) node …           copy of another node's, from 'l' on (node)
//	'q' 'n' node                       when a node was first seen to be removed (copies)
//	'g' length(1) node 'b' level(1) start(8) block(2)  rollups of a node's usage records; length 0 for this node's (usage)
//	'g' length(1) node 'd' level(1) start(8) number(8) a bucket of them that is to be made again
//	'g' length(1) node 'w'             how far they are
//	'k' 'c' key(32)                    what is known of an idempotency key (idempotency/home)
//	'k' 'a' key(32)                    its answer, sealed             (idempotency/home)
//	'k' 'x' until(8) key(32)           when its time is over          (idempotency/home)
//	'k' 'o' token(16)                  how a claim ended, for other homes (idempotency/home)
//	'k' 'g' node                       when a member was first seen to be removed (idempotency/home)
//	'k' 'q'                            until when nothing is granted  (idempotency/home)
//	'c' key(32)                        cached answer                  (semcache)
//	'd' placed(8) key(32)              its place in the eviction order (semcache)
//	's' 'e' tenant(8) scope(32) id(16) question that has a cached answer (semcache/semantic)
//	's' 's' tenant(8) scope(32) id(16) what was learned about it (semcache/semantic)
//	's' 'c' route and bound(32)        what was measured on a route (semcache/semantic)
//	't' purge(65)                      a purge of cached answers      (semcache)
//	'u' id(16)                         what an answer was worth       (outcomes)
//	'v' 'a' until(8) mark(24)          an outcome that was reported   (outcomes)
//	'v' 'i' mark(24)                   its until, by which it is found (outcomes)
//	'b' 'a' until(8) mark(16)          what a customer paid for       (outcomes)
//	'b' 'i' mark(16)                   its until, by which it is found (outcomes)
//	'V' length(1) node key             copy of what another node has under 'u', 'v' or 'b' (outcomes)
//	'a' 'h' | 'e' seq(8) | 'x' …       the audit trail                (audit/archive, which draws it)
//
// An account is written as [purser/internal/record] AppendAccount writes it.
// Values are versioned by their first byte, but for those under 'p' and 'o', which
// are zigzag varints added up by the store's merge operator.
//
// # Failure contract
//
// The store is opened by one process at a time (a lock file). A store that is
// held, damaged, incomplete or of a newer version is not opened: [Open] returns
// an error that says what to do and wraps one of [ErrLocked], [ErrCorrupt] and
// [ErrNewer]. Nothing is repaired or recreated silently, because a lost mark is
// money that may be spent twice.
//
// One kind of damage cannot be told from a crash: a bad chunk in the last 32 KiB
// block of Pebble's log, or at the end of its manifest, is taken for a write that
// was cut off. A store that lost everything by that is known by the file STORE-ID
// beside it; one that lost its last writes is known as a disk that was rolled back
// is: the ledger remembers the sequence of the last marks.
//
// A write or sync that fails, in a call or in the background, fails the store:
// once, for good. What was promised to be durable may not be, so the injected
// Fatal function is called, which must end the process; until it has,
// [Store.Apply] and [Store.Err] return the error and nothing is acknowledged. A
// full disk is such a failure. Reads that meet damage return an error to their
// caller, which for a cache is a miss.
//
// # Concurrency
//
// All methods are safe for concurrent use, but nothing may be used after Close.
//
// # Tests
//
// Real Pebble on in-memory file systems that crash and fail on purpose.
package store
