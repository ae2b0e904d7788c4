// Package proxy takes one request from the edge to the provider and back:
// serve.go is the whole path, a page of straight-line code whose stages are
// calls; no stage is a plugin, so the money check cannot be reordered or
// skipped.
//
// It meets the rest of the node as seams (seams.go): it never sees Raft, a
// store, or an HTTP library of the client side (edge.go).
//
// What holds:
//
//   - Nothing goes upstream without a hold that bounds what it can cost, taken
//     in every account of the request's chain; or, of a stream that an operator
//     has vouched for, what it can have cost until more is held (slices.go).
//   - Every hold ends exactly once, in Settle or Release, whatever happens: an
//     error, a panic, a client that goes away, a shutdown.
//   - Undecided means no: where the purse cannot answer, the client gets 503.
//   - Once the first byte has gone to the client nothing is tried again.
//   - An attempt whose outcome is unknown is charged its whole hold, or of a
//     sliced one what was seen and what may have been on its way.
//   - Every upstream call that may be billed has one usage record.
//   - No client is told the key that an upstream is asked with, in an answer, an
//     error or an event of a stream.
//
// A Gateway is safe for concurrent use; an exchange belongs to one request and
// moves with it: from the handler to the stream the edge pulls, and from there,
// when the client has gone, to the pump that drains the upstream. A sliced stream
// is with its reader from the start (ahead.go).
package proxy
