// Package semcache is the response cache. It has one tier so far, the exact one:
// a complete answer, found again by the hash of everything that made it.
//
// It is not a judge: whether a request may be answered from a cache, and what of
// it is canonical, is the caller's decision. It knows no budgets and no keys.
//
// # No answer crosses a tenant
//
// A [Key] is SHA-256 over the scope (tenant, route, model, endpoint, epoch) and
// the canonical request, each with its length in front, so that two different
// tuples never run together. There is no lookup by anything else. The key begins
// with eight bytes that depend on the tenant alone; they only put a tenant's
// entries side by side, so that [Cache.PurgeTenant] finds them.
//
// # Where entries are
//
// In Pebble, written in the batch of the usage record of the request that made
// them ([Cache.Fill] returns what to add to it), and in a bounded front in
// memory, from which a hit takes well under a microsecond. Each stored entry has
// a checksum that covers its key; an entry that does not match is a miss, and
// is deleted.
//
// A filter in memory (two bytes a key) knows which keys the store does not have, so
// that a miss reads nothing. It is made at the start and again from time to time.
//
// # Bounds
//
// One entry, the front, and the store each have a bound in bytes. A sweeper
// deletes the oldest entries while there is too much, and those that have
// expired; an entry that was asked for since it was placed is placed again
// once instead of being deleted, which makes the order roughly that of last use.
// Sizes are counted as they are placed, so an entry that was replaced counts
// twice until the sweeper comes by; it counts anew after each round.
//
// # Coalescing
//
// [Flights] lets identical requests in flight wait for the first of them. Only
// complete, successful answers are shared. See its comment.
//
// # Failure contract
//
// The cache never fails a request: trouble is a miss and is counted.
//
// # Concurrency
//
// All methods are safe for concurrent use. Entries are shared, and immutable once
// they were given to the cache. The one goroutine is the sweeper; [Cache.Close]
// ends it and waits.
//
// # Tests
//
// Random tenants whose scopes look alike on purpose, damage to every byte of an
// entry, and crashes of the file system below.
package semcache
