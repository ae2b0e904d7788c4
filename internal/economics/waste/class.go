package waste

// Class is a kind of waste. Their order is the order in which they take from the cost of a
// record.
type Class uint8

// The classes.
const (
	RetryLoop        Class = iota // an agent in a circle, or the same call again and again in one run
	Failed                        // billed, and nobody got an answer
	ExactRepeat                   // asked and answered before
	NearRepeat                    // the same in other words
	UnusedOutput                  // made and not delivered; or cut at its cap and asked again
	UncachedContext               // a beginning that the provider could have read from its cache
	OversizedContext              // input beyond what peers need, or that compression takes out
	StrongerModel                 // a cheaper model does the task as well
	NoOutcome                     // a run without an outcome among runs that have one
	NumClasses       = iota
)

// None is the class of what is justified.
const None = Class(NumClasses)

var classNames = [NumClasses]string{
	RetryLoop: "retry_loop", Failed: "failed", ExactRepeat: "exact_repeat", NearRepeat: "near_repeat", UnusedOutput: "unused_output",
	UncachedContext: "uncached_context", OversizedContext: "oversized_context", StrongerModel: "stronger_model", NoOutcome: "no_outcome",
}

// String is the class's stable name, such as "exact_repeat".
func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return "justified"
}

// ParseClass is the inverse of [Class.String].
func ParseClass(s string) (Class, bool) {
	for c, name := range classNames {
		if name == s {
			return Class(c), true
		}
	}
	return None, false
}

// Lever is what would recover a kind of waste.
type Lever uint8

// The levers.
const (
	NoLever      Lever = iota
	LoopBreaker        // rules about loops that are enforced
	Retries            // another upstream, time limits, fewer retries
	ExactCache         // the exact cache, for longer or for more
	SemanticHits       // the semantic cache
	Cancellation       // sliced holds: to hang up ends the provider's work
	OutputCap          // a higher cap at once
	PromptCache        // marks and keys for the provider's cache
	Compression        // of prompts
	Trimming           // of what an application sends along
	Routing            // to the cheaper model
	Outcomes           // limits for runs of this kind, or reports of what they were worth
	numLevers
)

var leverNames = [numLevers]string{
	LoopBreaker: "loop_breaker", Retries: "retry_policy", ExactCache: "exact_cache", SemanticHits: "semantic_cache", Cancellation: "sliced_holds",
	OutputCap: "output_cap", PromptCache: "prompt_cache", Compression: "compression", Trimming: "trim_context", Routing: "routing", Outcomes: "run_budget",
}

// String is the lever's stable name, such as "exact_cache"; "" for none.
func (l Lever) String() string { return leverNames[l] }
