// Package fleet makes the exact caches of several nodes one: an entry that was filled
// through any of them serves all, and identical requests in flight on all of them wait
// for one.
//
// # Who owns a key
//
// Each key has an owner among the nodes, the one with the highest weight of (node,
// key): rendezvous hashing (Thaler and Ravishankar, "Using Name-Based Mappings to
// Increase Hit Rates", 1998). When a node comes or goes, the keys that it gets or had
// change their owner, and no others do. Nodes need not agree on who is there: a key
// that two nodes take to have different owners costs a miss and a second call.
//
// The owner has the entry on disk and holds the flight. A node that fills an entry it
// does not own, or gets one from its owner, keeps it in memory.
//
// # Trouble is a miss
//
// An owner that does not say within [Config.AskTime] what it has is not waited for,
// and after some such answers not asked, for a while ([breaker]); meanwhile the next
// in the order of weights owns its keys. A leader that is lost lets go of those who
// wait for it as soon as its connection breaks. No request waits longer than it says.
// What comes from other nodes is checked as what comes from disk.
//
// # Purges
//
// A purge goes to every node, and each has it from the others again if it was away:
// nodes compare what they know of whenever they ask each other, and every
// [Config.Compare] one of the others. Until then a node that did not hear of a purge
// gives what it has; [Fleet.Purge] says which those are.
//
// # Concurrency
//
// All methods are safe for concurrent use. [Fleet.Close] ends what is under way and
// waits for it.
package fleet
