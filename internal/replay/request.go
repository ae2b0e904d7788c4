package replay

import (
	"purser/ledger"
	"purser/proxy/price"
)

// Request is one request, as it was recorded or as a trace has it.
type Request struct {
	At       ledger.Instant
	Dims     ledger.Dimensions // with the model and provider that were called
	Asked    string            // the name of the model or route that was asked for
	Region   string
	Tier     price.Tier
	Usage    price.Usage // of the call that was answered; empty where none was made
	Cost     ledger.Amount
	Baseline ledger.Amount // recorded: what it would have cost without levers
	Routed   ledger.Amount // recorded: what a route saved on the call against its baseline
	Retries  ledger.Amount // in Cost: of calls that failed and were billed
	Outcome  Outcome
	Cut      int64  // tokens that compression took out
	Identity uint64 // of everything the answer depends on; 0 where it is not known

	// Blocks are hashes of the prompt by BlockTokens tokens, each of its block and all
	// before it. Traces of prefix caching have them.
	Blocks []uint64
}

// BlockTokens is how many tokens a block of a trace has.
const BlockTokens = 512

// Outcome is how a request ended.
type Outcome uint8

// The outcomes.
const (
	Called  Outcome = iota // an upstream answered
	Hit                    // a cache did, or another request in flight
	Refused                // for money or a limit
	Other                  // denied, or failed before anything was billed
)
