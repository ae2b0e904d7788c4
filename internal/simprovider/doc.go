// Package simprovider is a provider double: an HTTP server that answers as
// OpenAI does, as Anthropic does under /v1/messages, as Gemini does under /v1beta
// and as Bedrock's Converse does under /model, and writes a bill of its own. Demo,
// tests and benchmarks measure the gateway against that bill, never against the
// gateway's own books.
//
// It is not a model: answers are words drawn from a hash of the request. It is
// not a load generator, and it trusts nobody: it knows nothing of budgets.
//
// # What is true of it
//
//   - The same request (model, messages, tools, input) with the same seed gets
//     the same answer and the same token counts, whatever the order of arrival.
//     Only ids, times, the prompt cache and probability mixes depend on history.
//   - Every call that generated anything has exactly one row in the bill, with
//     the usage that was really generated, whatever the wire said of it.
//   - The row is written before the last byte of the answer is handed to the
//     kernel, so whoever has read a whole answer finds its row.
//   - Where costs are reported ([Config.ReportCost]), the cost in a usage is the
//     one in the row, digit for digit.
//   - completion_tokens never exceeds the cap in the request, times n, unless
//     the mode over-cap is on.
//   - prompt_tokens never exceeds the UTF-8 bytes of what is counted, plus
//     [MessageOverhead] for each message, [NameOverhead] for each name and
//     [ReplyOverhead] once; tools, earlier tool calls and response formats count
//     by their JSON, pictures by the documented formula, see [ImageRule].
//
// # Modes
//
// A [Plan] is a set of misbehaviours; see the table in modes.go for all of them.
// A plan comes, in this order, from the header x-sim-mode, from a model name
// such as "gpt-4o--sim-cut=3" (both only with [Config.RequestModes]), from
// [Provider.SetPlan] or the control surface, or from the configured mix.
//
// # Structure
//
// conn.go owns a connection and its request loop; call.go takes one call from
// authentication to its bill row; wire.go puts bytes on the wire as the plan
// says. These know no dialect. A dialect (openai*.go, gemini*.go, converse*.go) reads a request into a
// [generation], and renders that back; another dialect is another set of
// routes in the table of routes.go.
//
// fasthttp parses requests; responses are written straight to the connection,
// because half of the modes are things no HTTP server lets its handlers do.
//
// # Concurrency and failure
//
// All exported methods may be called concurrently. Each connection has one
// goroutine, which Close waits for. A bill that cannot be written stops the
// provider: it panics, since a bill with a hole is worse than none.
//
// # Tests
//
// Every mode is read off a real socket; the bill is compared with what was
// answered, one to one, under 64 connections that hang up at random; OpenAI's
// Go SDK runs against it; the vocabulary is checked against the tokenizer.
package simprovider
