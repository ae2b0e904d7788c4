package ledger

import (
	"fmt"
	"strings"
)

// The names below are formats: they are in configuration files, in stored
// records and on the wire.

var dimNames = [NumDims]string{
	"org", "team", "project", "member", "key", "customer", "feature", "agent",
	"run", "session", "prompt", "model", "provider", "env",
}

var unitNames = [...]string{USD: "usd", Tokens: "tokens", Requests: "requests", Slots: "slots"}

var windowNames = [...]string{
	Total: "total", PerMinute: "minute", PerHour: "hour", PerDay: "day", PerWeek: "week", PerMonth: "month",
}

const tagPrefix = "tag:"

// String returns the dimension's name.
func (d Dim) String() string {
	if int(d) < NumDims {
		return dimNames[d]
	}
	if d == DimTag {
		return "tag"
	}
	return fmt.Sprintf("dim(%d)", uint8(d))
}

// ParseDim returns the fixed dimension of that name.
func ParseDim(name string) (Dim, error) {
	for i, n := range dimNames {
		if n == name {
			return Dim(i), nil
		}
	}
	return 0, fmt.Errorf("unknown dimension %q", name)
}

// String returns the dimension's name, or "tag:<name>".
func (r DimRef) String() string {
	if r.Dim == DimTag {
		return tagPrefix + r.Tag
	}
	return r.Dim.String()
}

// ParseDimRef is the inverse of [DimRef.String].
func ParseDimRef(s string) (DimRef, error) {
	if tag, ok := strings.CutPrefix(s, tagPrefix); ok {
		r := DimRef{Dim: DimTag, Tag: tag}
		return r, r.validate()
	}
	d, err := ParseDim(s)
	return DimRef{Dim: d}, err
}

// String returns the unit's name.
func (u Unit) String() string {
	if u >= USD && int(u) < len(unitNames) {
		return unitNames[u]
	}
	return fmt.Sprintf("unit(%d)", uint8(u))
}

// ParseUnit is the inverse of [Unit.String].
func ParseUnit(s string) (Unit, error) {
	for u := USD; int(u) < len(unitNames); u++ {
		if unitNames[u] == s {
			return u, nil
		}
	}
	return 0, fmt.Errorf("unknown unit %q: not usd, tokens, requests or slots", clip(s))
}

// String returns the window kind's name.
func (k WindowKind) String() string {
	if k >= Total && int(k) < len(windowNames) {
		return windowNames[k]
	}
	return fmt.Sprintf("window(%d)", uint8(k))
}

// ParseWindowKind is the inverse of [WindowKind.String].
func ParseWindowKind(s string) (WindowKind, error) {
	for k := Total; int(k) < len(windowNames); k++ {
		if windowNames[k] == s {
			return k, nil
		}
	}
	return 0, fmt.Errorf("unknown window %q: not total, minute, hour, day, week or month", clip(s))
}

var codeNames = [...]string{
	Applied: "applied", Repeated: "repeated", StaleSeq: "stale-seq", StaleIncarnation: "stale-incarnation",
	UnknownNode: "unknown-node", FencedNode: "fenced-node", StoreMismatch: "store-mismatch",
	InvalidCommand: "invalid-command", UnknownBudget: "unknown-budget", BudgetImmutable: "budget-immutable",
	LimitReached: "limit-reached", StaleGeneration: "stale-generation",
	StaleVersion: "stale-version", UnknownRaise: "unknown-raise", UnknownTrip: "unknown-trip",
}

// String returns the code's name.
func (c Code) String() string {
	if c >= Applied && int(c) < len(codeNames) {
		return codeNames[c]
	}
	return fmt.Sprintf("code(%d)", uint8(c))
}

var breakerNames = [...]string{Tripped: "open", HalfOpen: "half-open"}

// String returns the state's name.
func (s BreakerState) String() string {
	if s >= Tripped && int(s) < len(breakerNames) {
		return breakerNames[s]
	}
	return fmt.Sprintf("breaker(%d)", uint8(s))
}

var causeNames = [...]string{
	ByOperator: "operator", ByRate: "rate", ByOverrun: "overrun", ByProbe: "probe", ByRaise: "raise",
}

// String returns the cause's name.
func (c Cause) String() string {
	if c >= ByOperator && int(c) < len(causeNames) {
		return causeNames[c]
	}
	return fmt.Sprintf("cause(%d)", uint8(c))
}

var stateNames = [...]string{
	Open: "open", NotYet: "not-yet", Ended: "ended", Closed: "closed", NoAccount: "no-account", Unbacked: "unbacked",
}

// String returns the state's name.
func (s AccountState) String() string {
	if s >= Open && int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

var verdictNames = [...]string{
	NeedGranted: "granted", NeedContended: "contended", NeedExhausted: "exhausted", NeedRefused: "refused",
}

// String returns the verdict's name.
func (v Verdict) String() string {
	if v >= NeedGranted && int(v) < len(verdictNames) {
		return verdictNames[v]
	}
	return fmt.Sprintf("verdict(%d)", uint8(v))
}
