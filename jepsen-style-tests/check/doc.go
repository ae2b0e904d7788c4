// Package check holds histories of a cluster against what Purser promises. It is
// told what clients, nodes and a provider saw, and knows nothing of how they were
// run. Each checker is a function of observations; it returns what it found wrong,
// nothing when all is well.
//
//	C1  [Capped]     the bill is within the cap, at every prefix
//	C2  [Settled]    each billed call is settled once, or presumed or written off
//	C3  [Kept]       no settlement that was acknowledged is missing
//	C4  [Log.Apply]  every account adds up after every entry, on every replica
//	C5  [Log.Apply]  replicas that applied the same entries have the same digest
//	C6  [Monotone]   what a session reads does not go back
//	C7  [Linear]     grants, returns, limits and reads of an account are linearizable
//	C8  [Drained]    after the heal nothing is outstanding and everything adds up
//	C9  [Justified]  a refusal had a reason, judged by what was so at that time
//	C10 [Recoveries] how long after the loss of a leader an entry was committed
//
// The model behind C7 is written from the reference, not from package ledger; the
// package's types are used only to name things.
//
// Times are nanoseconds since the history began, from one monotonic clock.
package check
