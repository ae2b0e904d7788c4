// Package ledger is the replicated state machine of budgets, and the only place
// where money changes. [State.Apply] takes one command at one instant and says
// what it did; every replica that applies the same log is in the same state.
//
// It is not a client of anything: it reads no clock, does no input or output,
// starts nothing and waits for nothing. Time, time zones and randomness are
// data in its commands. It knows no requests either: holds and settlements
// happen in the purse of each node, which reports sums.
//
// # Vocabulary
//
// A budget is a rule. An account is one instance of it: a budget, the values it
// splits by, and a window. A lease is what one incarnation of a node may spend
// of one account. Of every account, at any moment,
//
//	limit = available + outstanding + spent + written off
//
// where outstanding is the sum of granted - spent - returned over its leases.
// Presumed and overrun are parts of spent, told apart: presumed may have been
// spent by a crashed node, overrun was billed beyond what was held for it.
// Available is negative, and the account overcommitted, after a lowered limit, the
// end of a raise, an overrun, or the spending of a soft budget.
//
// A raise adds to the limits of a budget's accounts until an instant (raise.go). A
// trip is a breaker of a budget that is not closed (breaker.go): it says what nodes
// are to refuse, and moves no money. What ends by time ends before the command that
// brought that time.
//
// # Invariants
//
//   - L1 Conservation: the sum above. Apply verifies it for each account it
//     touched and panics on a breach; [State.Check] verifies every table.
//   - L2 Escrow: a grant leaves available when it is applied; the node may use it
//     once it has the answer.
//   - L3 Cumulative: counters merge by max, and each node's messages are applied
//     in the order of their sequence numbers, once.
//   - L4 Ambiguity is not refusal: the last answer is kept, so that an Exchange
//     whose fate is unknown can be sent again.
//   - L5 No reclaim by clock: what is outstanding comes back when its holder
//     returns it or restarts with evidence. A fence counts it as spent.
//   - L6 Windows are new accounts: nothing is reset, late reports go to the window
//     of their lease, and windows partition time (see window.go).
//   - L7 Ledger time never runs backwards.
//   - L8 Determinism: no map order, no floating point, no clock. Derived tables
//     are functions of what a snapshot holds.
//   - L9 Bounded: tables, commands and the work of a Tick have limits (limits.go);
//     beyond them the outcome says so.
//   - L10 Total: Apply panics on no command that can be decoded. What cannot be
//     decoded is an error, which must stop the node.
//
// # Policies
//
// Grants are guided by what is available and by each node's part of the recent
// rate; what requests need comes first, and near the end only that (grant.go).
// When a request needs what others hold idle, their answers ask for it back.
// Soft budgets grant whatever is asked.
//
// Done ends a lease, and the next row of that account begins one with counters
// from zero; evidence at a restart is of the incarnation as a whole. A node must
// end its leases of windows that are over: an account is dropped one window
// after its own, but not before its leases are closed.
//
// # Concurrency
//
// Apply and Clone need exclusive use of a State. Clone takes constant time; the
// clone and the original may then be used concurrently with each other. Budgets
// and answers that are handed out are shared and must not be changed.
//
// # Tests
//
// The scripts in testdata tell stories and are the documentation by example.
// Every history is also played against a twin that derives all numbers by
// adding up what happened: random ones, and all short ones over a tiny alphabet.
// Honest nodes on a bad network are held against the bill of a provider. Stored
// bytes are compared with testdata/golden, and decoders are fuzzed.
package ledger
