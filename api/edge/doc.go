// Package edge takes HTTP requests from clients on one listener and sends the
// answers back.
//
// HTTP/1.1 is served by fasthttp, HTTP/2 by net/http: over TLS as ALPN says,
// in the clear by the client's preface (prior knowledge, RFC 9113 section 3.3).
// Both call the same [proxy.Handler], or, below the configured prefixes, an
// ordinary http.Handler for administration. The edge decides nothing about a
// request but whether it is well formed, small enough and in time.
//
// # Invariants
//
//   - E1 Truncation is visible: an answer whose stream ends in an error never
//     gets its final chunk or END_STREAM; the connection or the stream breaks.
//   - E2 A stream is closed exactly once, whatever happens: end, error, panic,
//     hang-up, shutdown, or a request without a body to send.
//   - E3 What a stream gives is sent before anything is waited for: it is kept back
//     only while the stream's next piece is here already.
//   - E4 No answer splits: header fields that are not RFC 9110 section 5 are
//     left out, and framing is the edge's alone.
//   - E5 No request is read two ways: a length given twice, or beside a
//     transfer coding, and control bytes in fields are refused with 400.
//   - E6 Every wait on a client has a limit, and connections are counted.
//
// # Concurrency
//
// One goroutine accepts, and does nothing that waits for a client. Each
// connection has a goroutine of its own, which looks at its first bytes or does
// the TLS handshake, then serves it. [Server.Shutdown] waits for all of them.
// A handler is called on its connection's goroutine and may block.
//
// # Failures
//
// What the edge refuses itself is answered through Config.ErrorBody with one of
// the codes in errors.go. A panic in a handler becomes a 500, or a broken
// answer if it has begun, and a log record without the panic's value, which
// could quote a request. The HTTP libraries' own log texts quote requests too,
// so only their constant parts are logged.
//
// # Tests
//
// Over real sockets, byte by byte where framing matters, with real HTTP/2
// clients, TLS and plain, and with clients that stall, stop and hang up.
package edge
