// Package index finds the vectors nearest to one, exactly: it looks at every row.
//
// Rows are int8, an [Index] holds those of one scope, and [Scopes] holds many
// indexes and bounds them. A lookup is always inside one scope, whose rows are few
// enough that looking at all of them takes less than a request can notice; so
// there is no graph that could miss a neighbour or decay as entries go.
//
// It is not a judge: it knows ids and scores, no texts, no tenants, no time.
//
// # Arithmetic
//
// A vector v of length 1 is kept as int8 values q and a scale s = 1/|q|, so that the
// score of two rows, s·s'·(q·q'), is the exact cosine of what is kept: 1 for equal
// rows, never more by more than rounding. q·q' is an integer. The kernels, in Go and
// in assembly for amd64 (AVX2) and arm64 (NEON), therefore agree bit for bit.
//
// # Concurrency
//
// Searches take no lock: they read a snapshot, which stays as it is. Writers of one
// index take turns. A row is appended behind what snapshots show; a removal copies
// the one or two pages it changes. A search that runs while a row is removed may
// still find it: the caller looks its hits up, and skips what is gone.
//
// # Bounds
//
// Rows of a scope, rows in all, hits of a search ([MaxHits]) and the dimension
// ([MaxDim]). An Add beyond a bound is refused; who has to go is the caller's decision.
package index
