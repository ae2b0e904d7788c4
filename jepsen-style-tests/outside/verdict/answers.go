package verdict

import (
	"slices"

	"purser/jepsen-style-tests/outside/history"
)

// Kind is how a request ended, for whoever asks whether the cluster did its work.
type Kind int

// The kinds.
const (
	Admitted  Kind = iota // it was sent to the provider, or answered from a cache
	Refused               // a budget said no
	Denied                // the request, its key or a policy
	Undecided             // the cluster could not decide, or failed
	Lost                  // no answer, or none that was whole
	Gone                  // the client hung up by intent
)

var kindNames = [...]string{"admitted", "refused", "denied", "undecided", "lost", "gone"}

// Kinds are all of them.
var Kinds = [...]Kind{Admitted, Refused, Denied, Undecided, Lost, Gone}

func (k Kind) String() string { return kindNames[k] }

// undecidedCodes are those of a gateway that cannot decide or does not work; see
// docs/errors.md.
var undecidedCodes = []string{
	"undecided", "overloaded", "shutting_down", "storage_unavailable", "credential_unavailable", "internal_error", "too_many_connections", "request_timeout",
	"idempotency_unavailable",
}

// upstreamCodes are those of requests that were sent, with what became of them there.
var upstreamCodes = []string{"upstream_unavailable", "upstream_timeout", "upstream_invalid", "upstream_error"}

// KindOf sorts a request.
func KindOf(r *history.Request) Kind {
	switch {
	case r.Left:
		return Gone
	case r.Status == 0:
		return Lost
	case r.Status < 300:
		return Admitted
	case r.Refusal != nil, r.Status == 402: // Gemini's form names no budget
		return Refused
	case slices.Contains(undecidedCodes, r.Code):
		return Undecided
	case slices.Contains(upstreamCodes, r.Code):
		return Admitted
	case r.Status == 429, r.Status >= 500: // with no code of the gateway's: the provider's own
		return Admitted
	default:
		return Denied
	}
}
