// Package record is the usage record: what one request was, what it consumed,
// what it cost and how it ended; with its stored form, its JSON form and the
// request ids by which records are kept in order of time.
//
// It is not a store (see internal/usage) and takes no decisions. It is pure: no
// clock, no files.
//
// # Stored form
//
// One version byte, then the fields in the order of [Append], each a varint or a
// length and bytes. Numbers that are often zero sit behind a bit set. A form,
// once released, is decoded for ever; golden bytes in testdata hold it to that.
// A change of fields is a new version; the present one is 2. Enums and meters are append-only, so a
// value of a newer program decodes, and prints as its number; a meter does not,
// because its amounts would be lost.
//
// # Limits
//
// Everything that is appended can be decoded: [Append] cuts texts at
// [MaxText] bytes, and [Decode] accepts no more of anything than Append writes.
//
// # Concurrency
//
// A [Decoder] belongs to one goroutine. All else is safe.
package record
