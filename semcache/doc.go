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
// entries side by side, so that [Cache.Purge] finds them.
//
// # Where entries are
//
// In Pebble, written in the batch of the usage record of the request that made
// them ([Cache.Fill] returns what to add to it), and in a bounded front in
// memory, from which a hit takes well under a microsecond. Each stored entry is
// sealed and bound to its key ([Sealer]); one that does not open is a miss, and is
// deleted. Which node of several has an entry is the affair of
// [purser/semcache/fleet].
//
// A filter in memory (two bytes a key) knows which keys the store does not have, so
// that a miss reads nothing. It is made at the start and again from time to time.
//
// # Purges
//
// A purge is a [Mark] that is kept: it strikes every entry that it is for and whose
// request began before it, those in the store, those in memory, and those that come
// in later ([Entry.Epoch]). Marks of other nodes are obeyed alike.
//
// # Bounds
//
// One entry, the front, and the store each have a bound in bytes. The front admits
// by how often a key was asked for. A sweeper deletes the oldest entries while there
// is too much, and those that have expired; an entry that was asked for since it was
// placed is placed again once instead of being deleted. Tenants with more than their
// share give room first. Sizes are counted as they are placed, so an entry that was
// replaced counts twice until the sweeper comes by; it counts anew after each round.
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
