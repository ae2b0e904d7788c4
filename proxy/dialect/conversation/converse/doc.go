// Package converse writes conversations for Amazon Bedrock's Converse and reads its
// answers. No client speaks it, so that there is no other half. The shapes are those
// of aws-sdk-go-v2's bedrockruntime v1.63; docs/translation-converse.md says what
// each field becomes.
//
// What is the dialect's own:
//
//   - Neither the model nor whether a stream is wanted is in the body: both are in
//     the path.
//   - A part that is to be cached is followed by a cachePoint.
//   - A document has a name, which no other has and which is made of few characters.
//   - What Claude takes beside the common parameters is in
//     additionalModelRequestFields: thinking, and top_k. The model's name says
//     whether it is one; see package claude.
//   - Seals: the signature of reasoning is the seal "converse:" + signature, redacted
//     content "converse:redacted:" + content.
//   - A stream begins a block of text by its first piece, and has its usage in the
//     event after the one that says why it stopped.
package converse
