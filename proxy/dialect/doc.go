// Package dialect is what every client and provider dialect has in common: the
// canonical call a request decodes to, the report an answer is metered into,
// and the errors of the gateway with their stable codes. The dialects
// themselves are sub-packages (openai, anthropic, gemini, and converse, which
// upstreams alone speak); sse, eventstream and jsonscan are the parsers they share,
// pieces is what takes their answers apart and puts them together, canonical the
// form of a body that is hashed.
//
// It is pure wire code: no HTTP types, no sockets, no clocks, no money. A
// dialect never decides whether a call may run, only what it says.
//
// What holds everywhere below:
//
//   - Byte faithfulness. A call keeps the client's body as it came; what is
//     sent upstream differs from it only in the fields the gateway must set.
//   - One reading. A body that two parsers could read differently in a field
//     that matters for money (a key twice, a key in another case) is refused.
//   - Total. Decoders take any bytes, are bounded in depth and counts, and give
//     a value or an error, never a panic; each is fuzzed.
//
// Nothing here is safe for concurrent use unless it says so; a call, a meter
// and a report belong to one request.
package dialect
