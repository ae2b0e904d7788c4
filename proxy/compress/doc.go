// Package compress makes the body of a request shorter without a change of what it
// asks: the same values in fewer tokens (lossless), repetitions and noise folded
// (near-lossless), and on request old results and turns left out (aggressive).
//
// [Apply] is a function of the bytes of a client's body, its dialect and the
// settings. It reads no clock, asks nobody, and gives equal bytes for equal input.
//
// # What stays
//
// Whatever the level, these keep their bytes: the system prompt, what the model
// said, its thinking and signatures, calls of tools with their ids and arguments,
// pictures and files, markers of provider caches, and every field that is not known
// here. What may change are the texts of tool results, the texts of the user, and
// annotations of tools' schemas. Messages keep their number, order and pairing but
// for whole exchanges that the pass turns leaves out.
//
// # Invariants
//
//   - Lossless: a tool result that is JSON parses to the same values, spelled with the
//     same numbers; a schema accepts the same instances; a text of the user is the same
//     but for white space at line ends and runs of blank lines outside of code.
//   - Idempotent: Apply of what Apply gave changes nothing.
//   - Prefix-stable: what becomes of a message depends on it and on what stands before
//     it. A conversation that grows keeps the compressed bytes of what it had, which is
//     what a provider's prompt cache needs. Passes that look at how old a text is move
//     in steps of [Settings].StepTurns answers.
//   - A reference names text that stands literally earlier in the compressed prompt.
//   - No text is taken for one of ours: notes are written and never read. A text that
//     has the opening of a note in it is not folded.
//
// Tested by rapid against these invariants in all four dialects, and fuzzed.
package compress
