// Package responses is OpenAI's Responses as clients speak it, for upstreams that
// have no such API: agents and SDKs that know nothing else can use any of them.
//
// What the provider would keep or run itself cannot be translated and is refused by
// name: earlier responses, conversations, templates, background runs, and every tool
// but functions. Nothing is kept: a response says "store": false, and its items are
// sent whole by the client in the next turn.
//
// Shapes are those of openai-go v3.96.
package responses
