// Package tidy holds the rules of the house as tests: who may import whom, how
// long a file may be, that every package says what it is, that each invariant
// is named by a test, that documents point at files which exist, and that the
// tree holds no host of a package registry and no local path. It has no code of
// its own; run it with `go test ./internal/tidy`.
package tidy
