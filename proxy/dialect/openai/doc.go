// Package openai speaks OpenAI's wire formats: it decodes the bodies of
// /v1/chat/completions, /v1/completions, /v1/embeddings, /v1/moderations, and
// /v1/responses with the routes below it into a dialect.Call, rewrites them for
// the upstream, meters answers and streams, encodes errors and the models list,
// and turns stored answers from JSON into events and back.
//
// There are two formats. [Format] is that of Chat Completions, whose chunks the
// older endpoints share; [ResponsesFormat] is that of Responses (responses*.go),
// with events of its own. The shapes are those of openai-go v3.96 and openai 7.57.
//
// What holds:
//
//   - Upstream gets the client's bytes but for the model's name, the cap on the
//     answer and the wish for usage (AppendUpstream).
//   - The client gets the upstream's bytes but for usage it did not ask for
//     (Meter); of a response it gets every byte (ResponsesMeter).
//   - A field that bears on the cost is read in one way or refused: given
//     twice, in another case, of another type, or of a kind whose cost cannot be
//     bounded (audio, work in the background, best_of, tools of the provider's
//     that have no price by the call).
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
