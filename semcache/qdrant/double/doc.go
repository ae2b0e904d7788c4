// Package double is a server that speaks the part of Qdrant's gRPC API which the
// shared semantic tier uses, for tests: the production client runs over real HTTP/2
// against it, and faults happen when a test says so.
//
// It is no vector database. It keeps points in memory and looks at each of them.
// What it copies is what a client can see: cosine vectors of unit length, a
// threshold that a score has to exceed, filters, codes and messages of errors, the
// refusals of strict mode, and that an update which nobody waits for is seen later.
// What it does not have answers Unimplemented, and nothing is half there.
//
// Scores and filters are compared with golden answers of Qdrant's own engine
// (tools/qdrant-golden). The suite of this package runs against a real server too:
//
//	go test ./semcache/qdrant/... -qdrant HOST:PORT
//
// Sources for what is copied: Qdrant 1.18, lib/storage/src/content_manager/errors.rs
// and conversions.rs (codes and messages), lib/collection/src/operations/verification
// (strict mode), lib/segment/src/types.rs (threshold, filters).
package double
