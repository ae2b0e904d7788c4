// Package converse is Amazon Bedrock's Converse as upstreams speak it: it decodes
// the bodies of Converse and ConverseStream into a dialect.Call, writes the cap on
// the answer into them, and meters answers and streams. No client speaks it to the
// gateway: bodies are what a translation wrote.
//
// The shapes are those of aws-sdk-go-v2's bedrockruntime v1.63. The model is in the
// path, and not in the body. Streams are AWS's binary event streams.
//
// What holds:
//
//   - Closed. A field that is not known here is refused, wherever it stands: nobody
//     sends one that the translation does not write. So guardrails, prompt routers'
//     traces, stored prompts, tools of the system and locations in S3 have no way in.
//   - Every text of the request that can reach the prompt is in Call.Texts. A
//     document that is not plain text counts as a file, which the model's window
//     bounds; one of plain text as at most its bytes.
//   - A key that is there twice in one object is refused.
//   - Usage is disjoint and consistent, or it is reported as unusable. The counts of
//     input, of what was read from a cache, and of what was written to one are added:
//     none is a part of another. A cache write of unstated lifetime is
//     CacheWriteOther.
//   - A stream is done when it has said why it stopped and its metadata, which has
//     the usage, came after. Exceptions in it are failures.
//
// Reasoning counts as output, within the cap, and is not told apart.
//
// Tested against bodies that AWS's SDK writes, by cutting streams at every byte, and
// by fuzzing each decoder.
package converse
