// Package suite reads policies and their tests from YAML, and runs the tests: what
// `purser policy check` and `purser policy test` do. It asks nothing but the set that
// the file's policies make, so that a test needs no node.
package suite
