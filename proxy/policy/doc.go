// Package policy says whether a request may run: a pure function of a set of
// policies and of what is known of the request. It reads no clock, no network and
// no directory; what is known is an [Input], the answer a [Decision].
//
// A [Spec] is what an operator writes. [Compile] checks a list of them and makes an
// immutable [Set], whose policies are asked in the order of their priority, then of
// their ids. The exact rules of composition are in docs/policies.md; the ones that
// everything rests on are these:
//
//   - The first denial of an enforced policy ends the request.
//   - An allow ends its own policy and no other.
//   - A rule of an enforced policy that cannot be decided denies: an expression that
//     fails or costs too much, a fact that is not known.
//   - A policy in shadow mode never changes what happens. What it would have done is
//     in the decision's rulings.
//   - A rule that goes by the bound of tokens or cost is asked again with a tighter
//     one for as long as its answer is to the caller's disadvantage.
//
// Vocabulary: a condition is what a rule's when and unless say; its answer is yes,
// no or unknown. An outcome is what a rule that applies does. A ruling is what a rule
// did to one request.
//
// A Set is safe for concurrent use; an Input belongs to one request at a time.
//
// Tests: a naive evaluator that shares no code with this one and interprets the
// documents (matrix_test.go), properties of windows, patterns and addresses, and
// expressions that loop or are too large.
package policy
