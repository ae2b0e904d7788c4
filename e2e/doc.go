// Package e2e tests the built binary from outside, as processes on real sockets:
// caps under concurrency, kills, saturation, clients that hang up, the official
// SDKs, and bad input. The judge is always the simulated provider's own bill.
//
// It is tests only. Failures keep their data, logs and bill under _fail.
package e2e
