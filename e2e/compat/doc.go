// Package compat names the clients that are run against a gateway and what each
// is made to do, and draws the table of docs/compatibility.md from what was seen.
//
// It runs nothing: package e2e drives the clients and fills the cells. It is apart
// from e2e so that `make test`, which runs no processes, compares the table with
// the lock files: a table that tells of versions which are no longer installed
// fails there.
package compat
