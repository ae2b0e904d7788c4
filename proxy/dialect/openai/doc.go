// Package openai speaks OpenAI's wire format: it decodes the bodies of
// /v1/chat/completions and /v1/embeddings into a dialect.Call, rewrites them for
// the upstream, meters answers and streams, encodes errors, and turns stored
// answers from JSON into events and back.
//
// The shapes are those of openai-go v3.96 and openai 7.57 (Chat Completions and
// Embeddings); SSE is WHATWG's.
package openai
