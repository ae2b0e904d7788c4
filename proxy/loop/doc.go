// Package loop notices agents that go round in circles: runs and sessions that make
// the same call again and again, or that burn money much faster than they did.
//
// It decides from what a request says itself, as far as that goes: a conversation
// carries its own past, so that a repetition shows in every request of it, whichever
// node is asked. What a conversation does not show (a prompt that is sent anew each
// time, an answer that the provider keeps) a [Guard] remembers, and each node counts
// what it has seen.
//
// # Words
//
// A step is one turn of the model with what came back for it: its text, its tool
// calls with their arguments, their results. Two steps are alike when they make the
// same calls and their texts nearly are the same, by a min-hash of their words in
// which ids do not count. A repetition is a step that is like the one before, or
// like the one two, three or four before, so many times in a row; or half of the
// latest steps. Calls of tools that are there to wait with (a [Rule] names them) may
// repeat more often. A burn is a minute that costs many times what the minutes
// before did on average.
//
// # What holds
//
//   - Memory is bounded: so many subjects, so many answers of each; what was used
//     least lately goes first. The last steps of a conversation are read, and of each
//     a bounded part.
//   - Only what was answered counts: a request that is tried again after an error is
//     no repetition.
//   - No prompt is kept, only hashes, and none is in a message.
//   - What an operator has forgiven is counted anew from the next request on.
//   - It reads no clock.
package loop
