package record

import (
	"purser/ledger"
	"purser/proxy/price"
)

// Outcome says how a request ended.
type Outcome uint8

// The outcomes. Every request that was authenticated ends in exactly one.
const (
	Completed     Outcome = iota + 1 // the upstream answered in full
	CacheHit                         // answered from a cache; cost nothing
	Coalesced                        // answered by another request in flight; cost nothing
	Refused                          // a budget said no; nothing was sent
	Denied                           // key, policy or bad input; nothing was sent, or the answer was withheld
	UpstreamError                    // the upstream refused or broke before it could bill
	Disconnected                     // the client went away; the upstream was drained to its usage
	Truncated                        // the upstream broke off after it had begun
	Undecided                        // no authority or no storage: 503
	CutShort                         // the budget had no more for a sliced stream; it was ended here
	Replayed                         // answered as the request before with the same Idempotency-Key; cost nothing
)

// CacheState is the part of the caches in a request.
type CacheState uint8

// The cache states.
const (
	CacheBypass CacheState = iota
	CacheMiss
	CacheServed
	CacheShared   // coalesced with a request in flight
	CacheSemantic // answered by the answer to a question that means the same
	CacheStale    // answered by an entry whose time was over, while it is made anew
)

// Basis says what the charge of a request rests on.
type Basis uint8

// The bases.
const (
	Reported     Basis = iota + 1 // the provider's own usage
	Estimated                     // counted from what passed through
	FullHold                      // unknown: the whole hold was charged
	NoCharge                      // nothing was sent, or the provider said it failed
	ReportedCost                  // what the provider says the call cost
)

// Bound names the step of the escalation that made the hold.
type Bound uint8

// The bounds, from cheapest to tightest.
const (
	BoundNone Bound = iota
	BoundBytes
	BoundVocabulary
	BoundExact
	BoundWindow  // the model's context window
	BoundCounted // the provider's own count, with a margin
)

// Lever is one way of spending less.
type Lever uint8

// The levers.
const (
	LeverExactCache Lever = iota + 1
	LeverCoalesce
	LeverNativeCache // prompts that the provider remembers
	LeverSemantic
	LeverRouting
	LeverCompression
	LeverTemplate
)

// Effect is what a rule of a policy did to a request.
type Effect uint8

// The effects.
const (
	PolicyDenied    Effect = iota + 1
	PolicyUndecided        // denied, because the rule could not be decided
	PolicyWarned
	PolicyRewrote
)

// LoopPolicy begins the name under which a rule about loops is among the rulings of a
// request, its Rule being why: no policy's name has a slash.
const LoopPolicy = "loop/"

// Ruling is one rule's part in a request.
type Ruling struct {
	Policy, Rule string
	Effect       Effect
	Shadow       bool // what it would have done
}

// Saving is what one lever saved on one request, less what the lever itself cost:
// it is negative where it cost more than it saved.
type Saving struct {
	Lever  Lever
	Amount ledger.Amount // nano-dollars
}

// Route is how the call came to go where it went.
type Route struct {
	Name       string // that was asked for, "" where it was a model's own
	Strategy   string // such as "cheapest"
	Reason     string // in a sentence
	Considered []Considered
	Cluster    int64 // the nearest that a learner knows, from 1; 0 where none was asked
	Canary     bool  // the request was drawn for the learner's canary
}

// Considered is one candidate of a route, the one to try first at the front.
type Considered struct {
	Model, Upstream string
	Score           int64  // millionths, of the strategy's own scale
	Why             string // it stands where it does, or was left out
}

// Verdict is what the semantic cache said of a request.
type Verdict uint8

// The verdicts.
const (
	SemanticNone       Verdict = iota // it was not asked
	SemanticIneligible                // the request is not of the kind it may answer
	SemanticMiss                      // nothing near enough, or nothing trusted enough
	SemanticServed
	SemanticWould    // it would have been answered, in shadow mode
	SemanticExplored // it would have been answered, and was asked anew to compare
)

// Semantic is the part of the semantic cache in a request.
type Semantic struct {
	Verdict     Verdict
	Reason      string // of a refusal: a guard, or why it was not eligible
	Similarity  int64  // of the nearest, millionths
	Probability int64  // lower bound of being right, millionths
	Entry       uint64 // of the nearest; 0 for none
	Bound       int64  // of the error of those served on the route, upper, millionths
}

// Shape is what became of the prompt on its way.
type Shape struct {
	Level       string // of compression, "" for none
	Before      int64  // input tokens, of a request that was compressed
	After       int64
	Breakpoints int64 // marks that were set for the provider's cache
}

// Kind says what a record stands for.
type Kind uint8

// The kinds. Only requests have an outcome; the others have the amounts that are added
// to what the requests say, which may be negative.
const (
	KindRequest    Kind = iota // an upstream call, or a request that made none
	KindCorrection             // what is known later of the request that Corrects names
	KindAdjustment             // what a provider billed beyond, or below, all records
	KindPresumed               // what a lost node may have spent without a record that is left
)

// Charge is one account's part of a request: what was held and what was spent.
type Charge struct {
	Account     ledger.AccountKey
	Incarnation uint32
	Held        ledger.Amount
	Spent       ledger.Amount
}

// Record is one request. Times are wall-clock instants of the node.
type Record struct {
	ID         string // request id, "req_" and 26 characters, sorts by time
	At         ledger.Instant
	Dims       ledger.Dimensions
	Endpoint   string // route pattern, such as "/v1/chat/completions"
	Dialect    string
	Upstream   string // name of the configured upstream, "" when none was asked
	UpstreamID string // the provider's own id of the call (the last attempt)
	Model      string // as the client named it
	Served     string // as the provider named it
	Tier       string // service tier as billed
	Stream     bool
	Outcome    Outcome
	Status     int    // HTTP status sent to the client
	Code       string // stable error code, "" when none

	Usage   price.Usage
	Cost    ledger.Amount // nano-dollars, as charged to budgets
	List    ledger.Amount // nano-dollars at list prices; Cost where the usage is not known
	Priced  ledger.Amount // nano-dollars by the catalogue, its contract included; Cost unless Basis is ReportedCost
	Hold    ledger.Amount // nano-dollars
	Overrun ledger.Amount // nano-dollars of Cost beyond Hold

	// Baseline is what the request would have cost without any lever, nano-dollars:
	// Cost and what the levers saved.
	Baseline ledger.Amount

	RateID string
	Prices string // hash of the catalogue
	Basis  Basis
	Bound  Bound

	// A request writes one record for each upstream call that may have been
	// billed, and one in all if there was none. Attempt numbers them from 1.
	Attempt  int
	Attempts int // upstream calls made until now, billed or not
	Cache    CacheState
	Savings  []Saving

	Admit     int64 // nanoseconds spent waiting for the hold
	FirstByte int64 // nanoseconds from arrival to the first byte sent to the client
	Total     int64 // nanoseconds from arrival to the end

	Charges []Charge

	// Rulings are of the request, and in its first record alone, or in the first for
	// each candidate of its route; that of a rule about loops is in the last.
	Rulings []Ruling

	Route         Route
	PromptVersion int64 // of the template that the dimension prompt names; 0 for none
	Semantic      Semantic
	Shape         Shape
	// Fingerprint is of everything the answer depends on, as the exact cache has it; where
	// it was not asked, of the whole body. 0 where the client wants no cache at all.
	Fingerprint uint64

	Kind     Kind
	Corrects string // of a correction: the id of the request
	Note     string // of what is not a request: why it is there, in a sentence

	Step   string // of the agent's run, as the client names it
	Parent string // the request, step or agent that this one was made for, as the client names it
	Client string // the program that asked: the beginning of its User-Agent

	Trace      [16]byte // W3C trace id of the caller; zero where it sent none
	Caller     [8]byte  // W3C span id of the caller in it
	Credential string   // the id of the provider's key that the call was sent with, "" for the upstream's own

	OutputCap int64 // output tokens that each answer was limited to; 0 where nothing was sent
	Made      int64 // bytes of text in the answer, as it was made
	Delivered int64 // of those, handed to the client's connection

	// Gist is a locality-sensitive hash of what was asked: those of near questions differ
	// in few bits. Prefix is a hash of what stands before the conversation, instructions
	// and tools, with their size. Package proxy/gist makes and compares them. Both are 0
	// where nothing was hashed, and Gist where the client repeats on purpose.
	Gist, Prefix uint64
}
