// Package sse finds the events in a stream of server-sent events (WHATWG HTML,
// section 9.2) that arrives in pieces cut anywhere: within a line end, within a
// rune. It keeps every byte: the raw bytes of the events it gives are, in
// order, the bytes fed.
//
// It interprets data and event only. Comments, id, retry and unknown fields are
// in an event's raw bytes. An event larger than the limit is an error, so that
// an upstream cannot make a gateway buffer without end.
//
// A Scanner is for one goroutine. It copies only what is cut by the end of a
// piece, and joins data only of events with several data lines. Tested by
// cutting streams at every byte and against a plain line-by-line reader; fuzzed.
package sse
