// Package node is the composition root: it reads the configuration, opens every
// part of a node, connects them through their seams, and stops them in order.
// It is the only place that constructs; it decides nothing about requests or
// money.
//
// Start order: store, usage, Raft and its state machine, purse (registers with
// the evidence of the store), caches, upstreams, request path, edge. Stop order
// is the reverse, in four steps: refuse new requests, let those under way and
// the pumps end, return the leases, close the stores.
//
// A node is alone, a member of a cluster (member.go) or a gateway (follower.go),
// which follows a member instead of keeping a log.
//
// Every goroutine of a node is owned by one of its parts, whose Close waits
// for it. A part that cannot go on safely (a disk that does not sync, a ledger
// that rejects the node) calls Fatal, which ends the process at once: what the
// durable marks cover is accounted for at the next start.
package node
