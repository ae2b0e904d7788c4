// Package openai speaks OpenAI's wire format: it decodes the bodies of
// /v1/chat/completions and /v1/embeddings into a dialect.Call, rewrites them for
// the upstream, meters answers and streams, encodes errors and the models list,
// and turns stored answers from JSON into events and back.
//
// The shapes are those of Chat Completions and Embeddings as openai-go v3.96 and
// openai 7.57 have them.
//
// What holds:
//
//   - Upstream gets the client's bytes but for the model's name, the cap on the
//     answer and the wish for usage (AppendUpstream).
//   - The client gets the upstream's bytes but for usage it did not ask for
//     (Meter).
//   - A field that bears on the cost is read in one way or refused: given
//     twice, in another case, of another type, or of a kind whose cost cannot be
//     bounded (audio, tools run by the provider, best_of).
//   - Every text of the request that can reach the prompt is in Call.Texts or
//     named by Call.HiddenContext; unknown fields count as text.
//   - Usage is disjoint and consistent, or it is reported as unusable; missing
//     usage is never zero.
//   - Only a whole, successful answer has another form (Fold, Replay).
//
// Nothing here blocks, and nothing is shared: values belong to one request.
// Slices that functions give are the caller's, but for those of Meter. Errors
// and texts of the request are in no log; messages name fields, not contents.
//
// Tested by properties against encoding/json (rewriting, stripping, canonical
// form, round trips), by cutting streams at every byte, and by fuzzing every
// decoder.
package openai
