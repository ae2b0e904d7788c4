// Package trace says which trace a request belongs to, in the terms of the W3C Trace
// Context (https://www.w3.org/TR/trace-context-2/): what a caller's headers say, and
// which ids the spans have that are made of a request.
//
// It is pure: ids follow from what they stand for, so that every node gives the same
// step of the same run the same id, without asking another and without a clock.
// What becomes of spans is decided elsewhere (internal/telemetry/otlp).
//
// A request whose caller sent a context is a child of the caller's span. One without
// belongs to the trace of its run, or else of its session, within its org; one that
// names neither is a trace of its own, whose id is the request's. Within a run, the
// spans above the request are those of its agent and its step ([Place]).
package trace
