// Package children decides what child keys may do on this node, and has the ledger
// cap what those may spend that were given a slice of their parent's budget.
//
// It is not where child keys are made or verified by their form: that is package
// childkey. It keeps no secret: a token that was verified is remembered by its hash
// and by what it says.
//
// # A child's rights
//
// What a child may do follows from its parent as it is now and from each block of
// its token, see [Compose]: each can only take away. So a parent that is revoked,
// has expired or was narrowed takes its children along at once.
//
// # A slice
//
// A slice is a hard cap like any other: a budget of the ledger, to which a request
// of the child is charged beside all that its parent's requests are charged to. A
// grandchild is charged to the slices of all its ancestors. Children of one
// generation whose slices have the same two first digits and that expire on the
// same day share one rule, with an account for each child, so that there are few
// rules however many children there are ([Slice.Rule]).
//
// Its accounts last as long as any child of that day can: their window is a day of a
// zone whose clock is set back once, 52 hours in all. When it is over the ledger
// drops them by itself.
//
// The tags by which a request is charged begin with "purser."; clients cannot set
// them. A request that carries one and whose chain has not the account of it is
// refused ([Uncapped]): whatever else went wrong, nothing is spent beside a slice.
//
// # Concurrency
//
// All methods of [Registry] may be called by any number of goroutines. A token that
// comes for the first time is admitted once, however many requests wait for it.
//
// # Tests
//
// Random chains against a naive evaluation of every block; forged, late and long
// tokens; the window's bounds at every second of its edges.
package children
