// Package utilisation measures how much of one cap is spent when the first
// request is refused, with the real ledger and the real purse of each node, in
// virtual time, from one seed.
//
// The load: clients, 200 by default, each with one request under way at a time,
// at a node drawn from a Zipf distribution; a request holds eight times what it
// costs on average. The log commits one entry at a time per disk, with
// everything that came meanwhile in the next one; a leader nudges holders as
// package node does. Between them messages take a fixed time and none is lost.
//
// Beside it stand what others do: the cap cut into equal static slices, and
// every hold and every settlement a command in the log.
package utilisation
