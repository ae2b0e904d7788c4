package record

import "strconv"

// named maps an enum to its names; index 0 is unused where enums begin at one.
type named []string

func (n named) name(kind string, v uint8) string {
	if int(v) < len(n) && n[v] != "" {
		return n[v]
	}
	return kind + "(" + strconv.Itoa(int(v)) + ")"
}

func (n named) value(s string) (uint8, bool) {
	for i, t := range n {
		if t == s && s != "" {
			return uint8(i), true
		}
	}
	return 0, false
}

var outcomes = named{
	Completed: "completed", CacheHit: "cache_hit", Coalesced: "coalesced", Refused: "refused",
	Denied: "denied", UpstreamError: "upstream_error", Disconnected: "disconnected",
	Truncated: "truncated", Undecided: "undecided", CutShort: "cut_short", Replayed: "replayed",
}

var cacheStates = named{CacheBypass: "bypass", CacheMiss: "miss", CacheServed: "hit", CacheShared: "shared", CacheSemantic: "semantic", CacheStale: "stale"}

var bases = named{Reported: "reported", Estimated: "estimated", FullHold: "full_hold", NoCharge: "no_charge", ReportedCost: "reported_cost"}

var bounds = named{
	BoundNone: "none", BoundBytes: "bytes", BoundVocabulary: "vocabulary",
	BoundExact: "exact", BoundWindow: "window", BoundCounted: "counted",
}

var levers = named{
	LeverExactCache: "exact_cache", LeverCoalesce: "coalesce", LeverNativeCache: "native_cache", LeverSemantic: "semantic_cache",
	LeverRouting: "routing", LeverCompression: "compression", LeverTemplate: "template",
}

var verdicts = named{
	SemanticNone: "none", SemanticIneligible: "ineligible", SemanticMiss: "miss", SemanticServed: "served",
	SemanticWould: "would", SemanticExplored: "explored",
}

var kinds = named{KindRequest: "request", KindCorrection: "correction", KindAdjustment: "adjustment", KindPresumed: "presumed"}

var effects = named{PolicyDenied: "denied", PolicyUndecided: "undecided", PolicyWarned: "warned", PolicyRewrote: "rewrote"}

// String is the outcome's stable name, such as "completed".
func (o Outcome) String() string { return outcomes.name("outcome", uint8(o)) }

// ParseOutcome is the inverse of [Outcome.String].
func ParseOutcome(s string) (Outcome, bool) {
	v, ok := outcomes.value(s)
	return Outcome(v), ok
}

// String is the state's stable name, such as "hit".
func (c CacheState) String() string { return cacheStates.name("cache", uint8(c)) }

// ParseCacheState is the inverse of [CacheState.String].
func ParseCacheState(s string) (CacheState, bool) {
	v, ok := cacheStates.value(s)
	return CacheState(v), ok
}

// String is the basis's stable name, such as "reported".
func (b Basis) String() string { return bases.name("basis", uint8(b)) }

// ParseBasis is the inverse of [Basis.String].
func ParseBasis(s string) (Basis, bool) {
	v, ok := bases.value(s)
	return Basis(v), ok
}

// String is the bound's stable name, such as "vocabulary".
func (b Bound) String() string { return bounds.name("bound", uint8(b)) }

// ParseBound is the inverse of [Bound.String].
func ParseBound(s string) (Bound, bool) {
	v, ok := bounds.value(s)
	return Bound(v), ok
}

// String is the lever's stable name, such as "exact_cache".
func (l Lever) String() string { return levers.name("lever", uint8(l)) }

// ParseLever is the inverse of [Lever.String].
func ParseLever(s string) (Lever, bool) {
	v, ok := levers.value(s)
	return Lever(v), ok
}

// String is the verdict's stable name, such as "served".
func (v Verdict) String() string { return verdicts.name("verdict", uint8(v)) }

// String is the effect's stable name, such as "denied".
func (e Effect) String() string { return effects.name("effect", uint8(e)) }

// String is the kind's stable name, such as "correction".
func (k Kind) String() string { return kinds.name("kind", uint8(k)) }

// MaxOutcome is the highest outcome known; tables by outcome have MaxOutcome+1 entries.
const MaxOutcome = Replayed

// MaxLever is the highest lever known; tables by lever have MaxLever+1 entries.
const MaxLever = LeverTemplate
