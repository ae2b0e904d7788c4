package policy

import (
	"math"
	"net/netip"

	"purser/internal/record"
	"purser/ledger"
)

// Input is what is known of one request. The texts and slices stay the caller's.
type Input struct {
	Endpoint string // route pattern, such as "/v1/chat/completions"
	Dialect  string // of the client
	Stream   bool
	Model    string // as asked for
	At       ledger.Instant
	Address  netip.Addr // of the client; not valid: nobody knows

	Params Params
	// Uncapped says that the endpoint takes no cap on its output, so that a lower one
	// cannot be written.
	Uncapped    bool
	Tools       int
	Messages    int
	Images      int
	Files       int
	InputBytes  int64
	ServiceTier string // as asked, "" where it was not

	KeyID, KeyName string
	Dims           *ledger.Dimensions

	Provider   string
	Upstream   string
	RouteModel string   // as prices know it
	SentModel  string   // as the upstream knows it
	Regions    []string // where the provider may process the call; "" is one that is not known, and so is none

	Bounds Bounder // nil: nobody knows

	run     run
	rulings []Ruling
}

// Params are the parameters that a rewrite can lower.
type Params struct {
	MaxOutput   int64 // tokens of each answer; 0 where the call has none
	N           int64 // at least 1
	Temperature float64
	TopP        float64
}

// Unset is a temperature or top_p that the request does not have.
const Unset = -1.0

// Unreadable is one that is no number.
var Unreadable = math.Inf(1)

// Bound is the most that a call can use.
type Bound struct {
	Input int64         // tokens of the prompt
	Cost  ledger.Amount // nano-dollars
}

// Bounder bounds a call. Steps go from the cheapest to the tightest.
type Bounder interface {
	Steps() int
	// Bound is false where the step cannot be taken.
	Bound(step int, p Params) (Bound, bool)
}

// Fixed is a bound that is known beforehand.
type Fixed Bound

// Steps implements Bounder.
func (Fixed) Steps() int { return 1 }

// Bound implements Bounder.
func (f Fixed) Bound(int, Params) (Bound, bool) { return Bound(f), true }

// Ruling is what a rule did, or would have done.
type Ruling struct {
	record.Ruling
	Message string // the rule's
}

// Decision is what a set says of one request.
type Decision struct {
	Denied *Ruling // nil: the request may go on
	Params Params  // as rewritten
	// Rulings are all that was done and would have been, in order, with the denial
	// last. They are valid until the input's next decision.
	Rulings []Ruling
}
