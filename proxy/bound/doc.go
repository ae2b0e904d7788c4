// Package bound gives upper bounds for the tokens that a call can be billed,
// before it is made. A hold taken from them cannot be exceeded by an honest
// provider.
//
// Bounds escalate: each step costs more time and is no looser than the one
// before, so the caller takes the first that fits what is left.
//
//   - Bytes: a byte-level tokenizer never makes more tokens than there are
//     UTF-8 bytes. Needs no tokenizer and no look at the text.
//   - Vocabulary: the text is split as the tokenizer splits it. A piece that is
//     in the vocabulary is one token, any other at most as many as a merge that
//     goes as badly as it can would leave.
//   - Exact: the merge itself is run on those other pieces, as long as a limit on
//     the work of one call lasts.
//
// To each comes what the provider adds for messages, names, tools and calls (a
// constant for each, above OpenAI's published ones), and the images by OpenAI's
// published formulas at their worst case where size or detail are unknown. What
// no formula covers (files, stored content, images of other models) is bounded
// by the model's context window, or not at all.
//
// Pure but for the vocabularies, which are built at first use, or by Warm, and
// then shared; everything is safe for concurrent use. Tested against
// tiktoken-go/tokenizer: exact counts are equal (but where two implementations
// split blank lines in two ways, where the larger count is ours), and
// exact <= vocabulary <= bytes, over random and adversarial text; fuzzed.
package bound
