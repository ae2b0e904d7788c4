// Package embed turns text into unit vectors whose inner product says how alike
// two texts are.
//
// [Static] is compiled in: a vector for each piece of a word, distilled from
// all-MiniLM-L6-v2 by tools/distill; a text's vector is the mean of its pieces'.
// It knows no word order and no context: it finds candidates, and somebody else
// decides whether two texts ask the same. [OpenAI] and [Ollama] ask a server.
//
// It is not a judge and keeps no texts: the remote embedders remember vectors by
// the hash of what was asked.
//
// # Identity
//
// Vectors of two embedders must never meet. [Embedder.ID] changes with everything
// that vectors depend on, and is part of whatever vectors are kept under: with
// another ID nothing that was kept is found, and nobody mistakes it for a miss
// that a better threshold would mend.
//
// # Concurrency and failure
//
// All embedders are safe for concurrent use. An error means there is no vector,
// and the contents of dst are undefined; the caller goes on as if nothing had been
// found. No error contains text of what was to be embedded, or of an answer.
//
// # Sources
//
// WordPiece and its normal form as in BERT (Devlin et al., 2018, arXiv 1810.04805)
// and Hugging Face tokenizers, held to it by testdata/golden.jsonl. Distillation:
// tools/distill/README.md. Licence of the table: NOTICE.
package embed
