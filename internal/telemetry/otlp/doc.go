// Package otlp sends spans and metrics of requests to an OpenTelemetry receiver, by the
// GenAI conventions (https://github.com/open-telemetry/semantic-conventions-genai).
//
// [Sink.Ended] is all that a request meets: it copies what it is told into a queue of
// bounded length and returns; where there is no room the request is left out and
// counted. One goroutine makes spans of what is queued and exports them in batches; a
// receiver that refuses, hangs or is not there costs batches, which are counted, and
// nothing else. Numbers for metrics are added up by the same goroutine and exported by
// a second one, of OpenTelemetry's SDK.
//
// No text of a request or an answer is in a span: what there is to send are the record
// (package record) and the course of its calls (package trace), which have none.
//
// What a span has for attributes follows from these alone (attributes.go, scopes.go);
// only sink.go and export.go have goroutines and connections.
package otlp
