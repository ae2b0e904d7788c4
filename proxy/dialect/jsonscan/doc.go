// Package jsonscan reads JSON in place: a cursor walks the bytes once, checks
// them strictly (RFC 8259, and UTF-8) and gives spans instead of values, so that
// a body can be read without allocation and rewritten byte for byte.
//
// It is not a decoder into Go values, and it does not look for keys given
// twice: who reads an object knows which of its keys matter.
//
// Strictness: control characters, broken UTF-8 and unpaired surrogate escapes
// in strings are errors, as are leading zeros, trailing commas and anything
// after the value. Nesting is bounded by MaxDepth. A cursor is a value for one
// goroutine; after an error its position is meaningless.
//
// Tested against encoding/json on random and mutated documents, and fuzzed.
package jsonscan
