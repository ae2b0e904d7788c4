// Package route orders the candidates of a route: it says which upstream and model a
// request that asks for a virtual name is sent to, and to which others when that
// fails. It reads no clock, no network and no directory, and draws nothing by
// itself: what is known of a request is a [Facts], its chance a number among them,
// and the answer a [Decision], which says of each candidate why it stands where it
// does.
//
// A [Spec] is what an operator writes, [Compile] makes a [Route] of it. A route
// without candidates is an alias ([Alias]): another name of one model.
//
// Vocabulary: a candidate is a model, perhaps at one upstream. It is out where it
// cannot or may not serve the request; it ails where it is likely to fail at present,
// and is tried after all that do not. A draw is a number below one for each
// candidate, made of its name and of a seed: of the request's chance, or, where the
// route is sticky, of the value that it sticks to. So every node draws alike for one
// value, and a candidate more moves only its own share of the values to it
// (rendezvous hashing; with weights, the logarithmic method of Schindelhauer and
// Schomaker, "Weighted Distributed Hash Tables", SPAA 2005).
//
// Undecided means no: a candidate whose condition cannot be evaluated is out.
//
// Tests: a table for each strategy, and properties drawn at random: an order is a
// permutation of what may serve, what is forbidden is in none, weights become shares,
// a candidate more moves only what it takes.
package route
