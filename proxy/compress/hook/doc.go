// Package hook asks a compressor outside, such as a model of LLMLingua's kind behind a
// small server, to shorten texts: POST {url} with {"texts": [...], "ratio": 0.5} is
// answered by {"texts": [...]}, one for one; "" leaves a text as it is.
//
// It sends what clients send to where the operator says. Everything is bounded: calls at
// once, the bytes of a call and of an answer, the time of one request's calls. After
// several failures in a row it rests, and asks nobody for that time. It never retries,
// and whoever asks goes on without an answer.
//
// Answers are remembered, so that a text of a growing conversation becomes the same
// again and the provider's cache of prompts holds: by the hash of text, ratio and scope,
// up to a number of bytes, the oldest going first. Neither text nor answer is kept
// elsewhere.
package hook
