package trace

import (
	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/price"
)

// Course is what spans are made of and a record does not have: how the upstream calls
// of a request went, one by one, those that cost nothing among them.
type Course struct {
	Caller  Context // what the client sent; it may be none
	Place   Place
	Sampled bool // spans are made of it
	Finish  string
	Calls   []Call
}

// Call is one upstream call. Its times are nanoseconds from the request's arrival.
type Call struct {
	N        int // as [CallSpan] counts
	Upstream string
	Provider string // as the price catalogue names it
	Model    string // as the upstream names it
	Began    int64
	Ended    int64
	Status   int    // of the upstream's answer, 0 where there was none
	Fault    string // why it failed, a stable name such as "timeout"; "" where it did not

	ID, Served, Tier string // as in the record
	Basis            record.Basis
	Cost             ledger.Amount // nano-dollars
	Usage            price.Usage
}
