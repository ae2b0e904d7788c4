package route

import (
	"purser/ledger"
	"purser/proxy/policy"
)

// Facts are what is known of one request.
type Facts struct {
	Of []Fact // one for each candidate, in the order of the spec
	// Input is the request as policies know it, for conditions; nil: none can be
	// decided. What it says of the route is set for each candidate.
	Input  *policy.Input
	Needs  []Need
	Tokens int64 // of the prompt, about; 0: not known
	// Sticky is the value of the route's dimension, "" for none.
	Sticky string
	// Spent is the share of the tightest budget that was spent, millionths; below zero:
	// there is none.
	Spent int64
	// Random is 64 uniformly random bits.
	Random uint64
	// Ranked is what a learner said: its scores are in Of. Unranked says why there is
	// none.
	Ranked   string
	Unranked string
}

// Fact is what is known of one candidate.
type Fact struct {
	Barred string // why it may not or cannot serve the request; "" where it may
	Ailing string // why it is likely to fail at present; "" where it is not

	Provider, Upstream, Model, Sent string
	Regions                         []string
	Bounds                          policy.Bounder

	Window int64         // of context, tokens; 0: not known
	Cost   ledger.Amount // expected, nano-dollars
	P50    int64         // until an answer began lately, nanoseconds; 0: not known
	P90    int64
	Score  int64 // of a learner, millionths
}

// Placed is a candidate and why it stands where it does.
type Placed struct {
	At    int    // its index in the spec
	Score int64  // millionths, of the strategy's own scale
	Why   string // in a few words
}

// Decision is the order of a route's candidates for one request.
type Decision struct {
	Order  []Placed // those to try, the first at the front
	Out    []Placed // those that may not or cannot serve it, in the order of the spec
	Reason string   // why the first is the first, in a sentence
}
