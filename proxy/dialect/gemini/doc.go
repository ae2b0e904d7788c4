// Package gemini speaks the wire format of Google's Gemini API: it decodes the
// bodies of generateContent, streamGenerateContent, countTokens, embedContent and
// batchEmbedContents into a dialect.Call, rewrites them for the upstream, meters
// answers and streams, encodes errors and lists of models, and turns stored
// answers from JSON into events and back.
//
// The shapes are those of google.golang.org/genai v1.77.0 and @google/genai
// 2.32.0 for the Gemini Developer API, and of the REST reference.
//
// What is Google's own:
//
//   - The model and the operation are in the path. A body that names the model
//     too must name the same one.
//   - A field has two spellings, maxOutputTokens and max_output_tokens, and a
//     list of one object may be written as the object. Both are read as one field;
//     given in both, or in a third spelling, it is refused.
//   - Upstream is always asked for server-sent events (alt=sse). A client that did
//     not ask for them gets the same objects as a JSON array, as Google gives it.
//   - Thoughts are billed beside the candidates. Whether maxOutputTokens covers
//     them too is documented in two ways, so the call says that they may come on
//     top (Call.Thinks), and the bound counts them.
//
// What holds:
//
//   - Upstream gets the client's bytes but for the model's name and the cap on the
//     answer (AppendUpstream). The client gets the upstream's bytes (Meter).
//   - A field that bears on the cost is read in one way or refused. Tools that run
//     at Google are refused: how often they run is the model's choice.
//   - Every text of the request that can reach the prompt is in Call.Texts or named
//     by Call.HiddenContext; unknown fields count as text.
//   - Usage is disjoint and consistent, or it is reported as unusable; missing
//     usage is never zero.
//   - Only a whole, successful answer has another form (Fold, Replay).
//
// Nothing here blocks, and nothing is shared: values belong to one request.
// Slices that functions give are the caller's, but for those of Meter. Messages
// of errors name fields, not contents.
//
// Tested by properties against encoding/json (rewriting, canonical form, round
// trips), by cutting streams at every byte, by Google's Go SDK as a client, and
// by fuzzing every decoder.
package gemini
