// Package anthropic reads and writes conversations as Anthropic's Messages: the
// calls and answers of clients that speak it to an upstream which does not, and of
// clients of other dialects to an upstream that does. The shapes are those of
// anthropic-sdk-go v1.84; docs/translation-anthropic.md says what each field becomes.
//
// What is the dialect's own:
//
//   - The cap. max_tokens is required here. Where the client has no cap, it is
//     written as the request's usual one, or claude.UsualCap, and the budget of
//     thinking on top. The body is decoded again before it is sent, so that it
//     counts as the call's cap and may be lowered to the model's.
//   - Thinking is written as the model's generation takes it: see package claude.
//   - Seals. The signature of a thinking block is the seal "anthropic:" + signature,
//     the data of a redacted one "anthropic:redacted:" + data. The seals of other
//     dialects stand in signature whole, as an answer here gives them.
//   - System turns after the first turn are messages of the role "system", which
//     models from Claude Opus 4.8 on take and others refuse by themselves.
//   - Results of tools come first in their turn, neighbouring turns of one role are
//     joined, and empty texts are not written: the API takes nothing else.
//
// A stream's message_start states no usage, which is known at its end:
// message_delta has all of it.
package anthropic
