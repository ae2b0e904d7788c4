// Package e2e tests the built binary from outside, as processes on real sockets:
// caps under concurrency, kills, saturation, clients that hang up, and bad input.
// The judge is always the simulated provider's own bill.
//
// The clients of others run in TestClients: the scenarios and the clients are listed
// in package compat, what they do is in the files clients_*_test.go for Go and for
// agents, and in the folder clients for the other languages.
//
// It is tests only. Failures keep their data, logs and bill under _fail.
package e2e
