// Package upstream carries one request to a provider and its answer back.
//
// A [Client] stands for one configured upstream: an address, its credentials,
// its limits and its connections. [Client.Do] makes exactly one attempt. What
// may follow a failed attempt is decided elsewhere, by two pure rules that live
// here because they speak of the same failures: [Policy.Decide] says whether to
// try again and when, [Breaker] says whether to try at all.
//
// It is not a general HTTP client: no redirects, no cookies, no proxies, no
// caching, and no retry of its own anywhere, because each attempt costs money
// and has a hold of its own.
//
// # HTTP/1.1
//
// The package owns its connections and uses fasthttp for the wire format of
// answers only. So nothing below it can send a request twice, and it knows
// exactly whether a byte of a request has left. Bodies are pulled: [Response.Next]
// gives bytes as they arrive, and several chunks at once when they are already
// here, never waiting for more. HTTP/2 is net/http's Transport behind the same
// surface; a body without GetBody is never sent again by it.
//
// # Invariants
//
//   - U1 Unsent means unsent: a [Failure] with Sent false is returned only when
//     not one byte of the request was written to a connection. Everything else
//     counts as sent, and may be billed.
//   - U2 One attempt: a request with a body is written to at most one connection.
//   - U3 A kept connection is used again only after an answer that was read to
//     its clean end with nothing behind it, and only if it is still open and
//     silent at the moment of use.
//   - U4 A body that breaks off is an error, never an end: io.EOF means that the
//     upstream said so.
//   - U5 Every wait has a limit: connecting, the first byte, the silence between
//     two reads, the whole attempt, and waiting for a free connection.
//
// # Concurrency and ownership
//
// A Client is safe for concurrent use. A [Response] belongs to one goroutine at
// a time and must be closed exactly once. Each Client runs one goroutine, which
// closes idle connections; Close waits for it.
//
// # Failures
//
// Errors are values of [Failure] with the phase they happened in. Their text
// never holds a query, a header, a credential or a part of a body.
//
// # Tests
//
// Against real sockets that misbehave on purpose: refused dials, stale and
// half-closed connections, resets, silence at each phase, truncated, malformed
// and compressed bodies, TLS and HTTP/2. The pure rules are tested by tables
// and by properties; the chunk scanner is fuzzed against the decoder.
package upstream
