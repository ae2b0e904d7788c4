// Package eventstream finds the messages in a stream of AWS's binary event stream
// (application/vnd.amazon.eventstream) that arrives in pieces cut anywhere.
//
// A frame is its length, the length of its headers, a checksum of both, the
// headers, the payload, and a checksum of it all. The lengths are believed only
// when their checksum holds, and a frame larger than the limit is an error, so
// that an upstream cannot make a gateway buffer without end. Headers and values are
// read by AWS's own library.
//
// The package does not know what the payloads mean.
//
// A Scanner is for one goroutine. It is tested by cutting streams at every byte,
// by changing every bit, and against the library's encoder; fuzzed.
package eventstream
