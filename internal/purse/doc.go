// Package purse is this node's share of the budgets: it leases allowances from
// the ledger and lets requests spend them in memory, in nanoseconds, so that a
// hard cap holds for the whole cluster although no request asks the cluster.
//
// It is not the authority: what a budget has left is the ledger's word, and the
// purse only ever has what was granted to it. It knows no prices, no requests,
// no HTTP and no Raft; those are behind the seams of seams.go.
//
// # Words
//
// A [Chain] is the accounts that one request is charged to. [Purse.TryReserve]
// sets a [Claim] aside in all accounts of one [Part] of it, or in none: a
// [Hold]. A hold ends exactly once, by Settle or Release; one that is joined to
// another ends with it. When the allowance
// here is too small the request is parked, at most for the admission wait, while
// the node asks for more; then it has its hold, a [Refusal] (a decision), or an
// error (no decision could be made, and nothing was spent).
//
// # Invariants
//
//   - L2: allowance is used only after the ledger's answer to this node's own
//     Exchange granted it. Before that the money exists nowhere on this node.
//   - L3, L4: counters are cumulative; an Exchange without an answer is sent
//     again with the same Seq, and nothing is concluded from its failure.
//   - L5: nothing here gives back what a hold covers, whatever any clock says.
//   - L6: a hold is charged to the account it was taken from, in whatever
//     window it ends. A new window is another account, also for what is joined
//     to a hold of the window before.
//   - Marks: for every lease, spent + held + free never passes the durable mark,
//     but by an overrun. So after a crash, granted - mark was never used.
//   - All or nothing: a hold has every account of its part or none.
//   - No overtaking: newcomers to an account that others wait for queue behind
//     them. A refusal is given only on the ledger's word.
//   - Everything is bounded: accounts, series, parked requests, the rows and
//     needs of an Exchange, the marks of a save. There is one Exchange and one
//     save under way at a time.
//
// # Concurrency
//
// Requests work on the atomics of an account (account.go) and take no lock. All
// decisions are in the core (core.go and its neighbours), which is plain code
// called under one lock, with the time as data; it hands out what is to be done
// and is told the results. Three goroutines (loops.go) do it, and Close waits
// for them.
//
// # Failures
//
// A mark that cannot be made durable, or the ledger rejecting this node, stops
// admission and calls Fatal: the process is to end, and the next Open accounts
// for it. When the ledger is not heard for authority_ttl, admission stops until
// it is heard again. Slots need no marks: a dead process holds none.
//
// # Tests
//
// A [Driver] moves the core without goroutines and clock. With it
// jepsen-style-tests/sim runs seeded histories against the real ledger, and
// jepsen-style-tests/explore every order of events in a tiny world. The shell is
// tested with testing/synctest, and under the race detector.
package purse
