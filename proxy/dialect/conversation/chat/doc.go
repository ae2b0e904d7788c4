// Package chat is OpenAI's Chat Completions as a dialect that is translated: what
// clients of OpenAI's API ask, and what every provider with a compatible API
// answers.
//
// Fields beyond OpenAI's own that are read because clients and providers of the
// compatible APIs use them: cache_control of content parts and tools, and
// reasoning_content (or reasoning) of an assistant's message, which is also how a
// client is shown reasoning. Reasoning is never sent upstream: providers differ in
// whether they take it.
//
// Shapes are those of openai-go v3.96.
package chat
