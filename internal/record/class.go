package record

// Class says in a word why a request did not go well, across outcomes, statuses and
// codes. It is derived and not stored.
type Class string

// The classes. What went well has ClassNone.
const (
	ClassNone              Class = ""
	ClassBudget            Class = "budget"              // no money left
	ClassRateLimit         Class = "rate_limit"          // a limit of this gateway: requests, tokens, slots
	ClassPolicy            Class = "policy"              // a policy, a redaction or a rule against loops
	ClassKey               Class = "key"                 // the key is no good, or may not do this
	ClassBadRequest        Class = "bad_request"         // the client has to change the request
	ClassProviderRateLimit Class = "provider_rate_limit" // the provider's limit
	ClassProviderOverload  Class = "provider_overloaded" // the provider has no room
	ClassProviderError     Class = "provider_error"      // the provider failed, refused or broke off
	ClassTimeout           Class = "timeout"             // the provider was too slow
	ClassClientGone        Class = "client_gone"         // the client left
	ClassStorage           Class = "storage"             // this node's disk or purse has failed
	ClassUndecided         Class = "undecided"           // no authority, no credential, no room, or on the way down
	ClassInternal          Class = "internal"            // a fault of this gateway
)

// Classes are all classes but none.
var Classes = [...]Class{
	ClassBudget, ClassRateLimit, ClassPolicy, ClassKey, ClassBadRequest, ClassProviderRateLimit, ClassProviderOverload,
	ClassProviderError, ClassTimeout, ClassClientGone, ClassStorage, ClassUndecided, ClassInternal,
}

// Class is the record's class; see docs/errors.md for the codes.
func (r *Record) Class() Class {
	switch r.Outcome {
	case Refused, Denied, Undecided:
		if c, ok := classOf[r.Code]; ok {
			return c
		}
		switch r.Outcome {
		case Refused:
			return ClassBudget
		case Undecided:
			return ClassUndecided
		default:
			if r.Code == "" { // an answer that was withheld
				return ClassPolicy
			}
			return ClassBadRequest
		}
	case CutShort:
		if r.Code == "undecided" || r.Code == "storage_unavailable" {
			return classOf[r.Code]
		}
		return ClassBudget
	case Disconnected:
		return ClassClientGone
	case UpstreamError, Truncated:
		return r.providerClass()
	case Completed, CacheHit, Coalesced, Replayed:
		return ClassNone
	default: // of what is no request, or of a newer program
		return ClassNone
	}
}

func (r *Record) providerClass() Class {
	switch {
	case r.Code == "upstream_timeout", r.Status == 408, r.Status == 504:
		return ClassTimeout
	case r.Outcome == Truncated:
		return ClassProviderError
	case r.Status == 429:
		return ClassProviderRateLimit
	case r.Status == 503, r.Status == 529: // 529 is Anthropic's overloaded_error
		return ClassProviderOverload
	default:
		return ClassProviderError
	}
}

// classOf are the codes of refusals that are of another class than their outcome says.
var classOf = map[string]Class{
	"insufficient_quota":         ClassBudget,
	"rate_limit_exceeded":        ClassRateLimit,
	"concurrency_limit_exceeded": ClassRateLimit,
	"policy_denied":              ClassPolicy,
	"redaction_blocked":          ClassPolicy,
	"loop_detected":              ClassPolicy,
	"invalid_api_key":            ClassKey,
	"too_many_failures":          ClassKey,
	"api_key_revoked":            ClassKey,
	"api_key_expired":            ClassKey,
	"api_key_suspended":          ClassKey,
	"child_key_invalid":          ClassKey,
	"child_limit_reached":        ClassKey,
	"scope_missing":              ClassKey,
	"endpoint_not_allowed":       ClassKey,
	"model_not_allowed":          ClassKey,
	"provider_not_allowed":       ClassKey,
	"dimension_bound":            ClassKey,
	"undecided":                  ClassUndecided,
	"credential_unavailable":     ClassUndecided,
	"shutting_down":              ClassUndecided,
	"overloaded":                 ClassUndecided,
	"storage_unavailable":        ClassStorage,
	"internal_error":             ClassInternal,
}
