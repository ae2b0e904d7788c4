package policy

import "encoding/json"

// Spec is one policy as an operator writes it.
type Spec struct {
	ID          string `json:"-"` // it is beside the spec, wherever that is kept
	Description string `json:"description,omitempty"`
	Priority    int    `json:"priority,omitempty"` // lower is asked first; -1000 to 1000
	Mode        Mode   `json:"mode,omitempty"`     // "" is enforce
	// Match says whose requests it is asked about: each dimension ("key" is the key's
	// id) must have one of its values. None means every request.
	Match map[string][]string `json:"match,omitempty"`
	Rules []RuleSpec          `json:"rules"` // asked in this order
}

// Mode says whether a policy has effect.
type Mode string

// The modes.
const (
	Enforce Mode = "enforce"
	Shadow  Mode = "shadow" // what it would do is counted and recorded, and not done
)

// Outcome is what a rule that applies does.
type Outcome string

// The outcomes.
const (
	Allow   Outcome = "allow"   // ends its policy
	Deny    Outcome = "deny"    // ends the request
	Warn    Outcome = "warn"    // tells the caller
	Rewrite Outcome = "rewrite" // lowers parameters to those of Set
)

// RuleSpec is one rule: it applies where When holds and Unless does not.
type RuleSpec struct {
	ID      string     `json:"id"`
	When    *Condition `json:"when,omitempty"`   // nil always holds
	Unless  *Condition `json:"unless,omitempty"` // nil never holds
	Outcome Outcome    `json:"outcome"`
	Message string     `json:"message,omitempty"` // for the caller; at most 512 bytes
	Set     *Caps      `json:"set,omitempty"`     // of a rewrite
}

// Condition holds where everything that it says holds. In a list one entry has to
// fit. Patterns have '*' for any text, and letters fit in either case.
type Condition struct {
	Addresses []string            `json:"addresses,omitempty"` // of the client: addresses, or ranges such as 10.0.0.0/8
	Models    []string            `json:"models,omitempty"`    // patterns: as asked, as prices know it, or as the upstream does
	Providers []string            `json:"providers,omitempty"` // patterns
	Upstreams []string            `json:"upstreams,omitempty"` // patterns
	Regions   []string            `json:"regions,omitempty"`   // patterns: where the provider may process the call
	Endpoints []string            `json:"endpoints,omitempty"` // patterns of paths, such as /v1/chat/*
	Dialects  []string            `json:"dialects,omitempty"`  // openai, anthropic, gemini
	Stream    *bool               `json:"stream,omitempty"`
	Times     []Window            `json:"times,omitempty"`
	Dims      map[string][]string `json:"dims,omitempty"`    // patterns by dimension, each of which must have one that fits
	Missing   []string            `json:"missing,omitempty"` // dimensions of which one has no value
	Over      *Over               `json:"over,omitempty"`
	CEL       string              `json:"cel,omitempty"` // an expression that is true or false
}

// Window is a span of the week, by the wall clock of a zone.
type Window struct {
	Days []string `json:"days,omitempty"` // mon to sun, or spans such as mon-fri; none means every day
	From string   `json:"from,omitempty"` // "22:00"; with To, or neither: the whole day
	To   string   `json:"to,omitempty"`   // not in the window; before From: on the day after
	Zone string   `json:"zone,omitempty"` // IANA name; "" is UTC
}

// Over holds where one of its limits is exceeded. A parameter that the request does
// not have exceeds none.
type Over struct {
	MaxOutput   *int64      `json:"max_output_tokens,omitempty"` // the cap of each answer, with the gateway's own where the request has none
	Input       *int64      `json:"input_tokens,omitempty"`      // upper bound of the prompt
	N           *int64      `json:"n,omitempty"`                 // answers asked for
	Temperature *float64    `json:"temperature,omitempty"`
	TopP        *float64    `json:"top_p,omitempty"`
	Tools       *int64      `json:"tools,omitempty"`    // defined
	Messages    *int64      `json:"messages,omitempty"` // or inputs of an embedding
	Images      *int64      `json:"images,omitempty"`
	Files       *int64      `json:"files,omitempty"`
	InputBytes  *int64      `json:"input_bytes,omitempty"` // of the body
	CostUSD     json.Number `json:"cost_usd,omitempty"`    // upper bound of the call's cost, dollars with at most nine decimals
}

// Caps are what a rewrite lowers parameters to; those that are absent or lower stay.
type Caps struct {
	MaxOutput   *int64   `json:"max_output_tokens,omitempty"` // at least 1
	N           *int64   `json:"n,omitempty"`                 // at least 1
	Temperature *float64 `json:"temperature,omitempty"`       // 0 or more
	TopP        *float64 `json:"top_p,omitempty"`             // 0 to 1
}

// Limits of what is written. They bound the work of asking one request about a set.
const (
	MaxPolicies   = 1024
	MaxRules      = 64   // of one policy
	MaxSetRules   = 4096 // of a set
	MaxConditions = 16   // dimensions of a match
	MaxList       = 256  // entries of a list
	MaxPattern    = 256  // bytes of an entry
	MaxText       = 512  // bytes of a description or message
	MaxExpression = 4096 // code points
	MaxPriority   = 1000
	maxIDLength   = 63
	maxLimit      = 1 << 50 // of an amount in a condition
	maxSampling   = 1000    // of a temperature or top_p
)
