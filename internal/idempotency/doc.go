// Package idempotency decides who may make the call of a request that has an
// Idempotency-Key, and what others with the same key are told.
//
// It is pure: it reads no clock, store or network. What it decides is kept by
// [purser/internal/idempotency/home] and carried between nodes by the node.
//
// # Vocabulary
//
// A key is a client's, of one scope (a virtual key): scopes never share one. Its
// print is what the request was, so that another request under the same key is
// known. Its homes are the members that decide about it ([Chain]). A claim is one
// node's right to make the call, named by a random token; its holder is that node.
//
// # States
//
//	            claim                end
//	(none) ------------> Claimed ------------> Answered   the answer is kept
//	   ^                    |    ------------> Spent      the call was made, no answer is kept
//	   |                    |    ------------> Lost       the call may have been made
//	   +--------------------+
//	     released: nothing was sent
//
// Every state but none ends when its time is over, and not before. A claim whose
// holder knows nothing of it stands for a call that may have been made ([Heard]).
//
// # Invariants
//
// A call is made only by the holder of a claim that every home in a chain has
// granted. Any two chains that can be completed within [LongestTTL] have a home in
// common (docs/adr/0058-idempotency-keys.md has the argument,
// TestTwoChainsShareAHome tries it), which grants one claim of a key at a time. So
// at most one call is made of a key in its time: TestOneCallWhateverMembersComeAndGo
// has the whole protocol, with nodes that die, members that come and go, and answers
// that are lost.
package idempotency
