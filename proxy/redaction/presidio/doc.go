// Package presidio asks a recognizer outside, in the form of Microsoft Presidio's
// analyzer: POST {address}/analyze with {"text", "language", "entities",
// "score_threshold"} answers a list of {"entity_type", "start", "end", "score"}, whose
// offsets count code points.
//
// It sends what clients send to where the operator says. Everything is bounded: calls
// at once, the bytes of a text and of an answer, the time of a request's calls
// together. After several failures in a row it rests, and asks nobody for that time. It
// never retries: whoever asks decides whether a failure refuses the request.
package presidio
