// Package anthropic speaks Anthropic's Messages: it decodes the bodies of
// /v1/messages and /v1/messages/count_tokens into a dialect.Call, rewrites them
// for the upstream, meters answers and streams, encodes errors and the models
// list, and turns stored answers from JSON into events and back.
//
// The shapes are those of anthropic-sdk-go v1.84 and @anthropic-ai/sdk 1.14, the
// beta ones included.
//
// What holds:
//
//   - Upstream gets the client's bytes but for the model's name and the cap on
//     the answer (AppendUpstream). The client gets the upstream's bytes.
//   - A field that bears on the cost is read in one way or refused.
//   - Every text of the request that can reach the prompt is in Call.Texts or
//     named by Call.HiddenContext; unknown fields count as text. What Anthropic
//     adds to the prompt for tools and formats is in Call.Added.
//   - Usage is disjoint and consistent, or it is reported as unusable. In a stream
//     nothing is usage before message_delta: what message_start says of the output
//     is a beginning.
//   - Only a whole, successful answer has another form (Fold, Replay).
//
// # What is refused, and why
//
// The cost of these is not bounded by the request, so it is refused with the
// field's name: web_search and web_fetch without max_uses, or callable from code;
// code_execution, tool search, the advisor and MCP, whose runs nothing limits;
// containers; fallbacks, which are other models. File ids, threads and links to
// documents are hidden context: they are held at the model's window.
//
// A use of a server tool is followed by another run of the model, so a call with
// n uses is held at n+1 windows and n+1 caps. Compaction is a run of its own, held
// at the prompt and the model's largest answer.
//
// # What is counted
//
// The top-level counts, and of iterations the compactions, which are not in them.
// An iteration of another model (an advisor, a fallback) has a price that the call
// was not held at: such usage is unusable, and the whole hold is charged. Thinking
// is a part of output_tokens. A cache write of unstated lifetime is
// CacheWriteOther, which the request path books as the longest that the call asked
// for.
//
// The billed tier is "fast" where speed says so, else the service tier;
// "priority" is capacity paid beforehand and is reported as "scale", the
// catalogue's name for that.
//
// Encrypted parts of earlier answers (signatures, redacted thinking, search
// results, compactions) count by their bytes, like text.
//
// Nothing here blocks, and nothing is shared: values belong to one request.
// Errors and texts of the request are in no log; messages name fields, not
// contents.
//
// Tested by properties against encoding/json, by cutting streams at every byte,
// by fuzzing every decoder, and with Anthropic's SDK as the client.
package anthropic
