// Package explore visits every state that a tiny world can get into: two nodes,
// a budget of 4 a minute, calls that hold and cost 1 or 2. Ledger and purses are
// the real ones; what is around them is a few numbers.
//
// # What may happen
//
// In any order: a node gets a request, dispatches a call, ends one (settled, or
// released if it was not dispatched); its Exchange is committed, its answer
// arrives, its marks are durable; it crashes, with the save under way or without
// it, and starts again, or crashes once more between its registration and the
// clearing of its disk. A node may do nothing for as long as the others like, so
// every pause is among the orders, also one between hold and dispatch.
// A window ends; nodes learn of it when they next look. An operator fences a
// node, dead or alive. The leader nudges a node; a second goes by on one, so that
// leases idle and spending is flushed.
//
// Messages and answers are lost, repeated and late: an Exchange is committed any
// number of times before an answer to it arrives, and copies of the Exchange
// before, of the one that was under way at a crash, and of the last Register
// arrive at any later time.
//
// Requests, crashes, rolls, fences, seconds and nudges are bounded in number;
// everything else happens as often as it can. Within these bounds the
// exploration is complete: it ends when no state is left.
//
// # What is taken together
//
// After each move a node does at once what it can do by itself: it steps, and
// hands out its next Exchange and save. Nodes have the right time, whenever they
// look. Usage records are durable when a call ends. The simulation in
// jepsen-style-tests/sim has none of these limits.
//
// # How
//
// Each state of the ledger is kept once, by its digest, and each state of a node
// once, by a fingerprint of all its memory and its disk; what a command or a move
// makes of it is worked out once. A purse cannot be copied: one in a given state
// is made by driving it there. A world is then a tuple of numbers, and a set of
// those is what was seen. That fingerprints leave out nothing that matters is
// tested: nodes that were met in two ways are driven on, both ways, and compared.
//
// # What is checked
//
// The ledger's Check in each of its states. In each state of a node: its holds
// against its lease, its lease against its grant, what it may use against the
// marks on disk. In each world: what is billed is at most the cap, window by
// window; what is billed or may yet be is set aside in the ledger; no node
// believes in more than it was granted; no answer is taken twice. At the ends,
// and with -deep everywhere: once everything runs again and has drained, nothing
// is out, and what was billed is spent or written off. A failure is told with the
// shortest way to it.
package explore
