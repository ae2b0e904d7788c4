package lever

import "time"

// Modes of the semantic cache.
const (
	SemanticOff    = "off"
	SemanticShadow = "shadow" // measures, and never answers
	SemanticServe  = "serve"
)

// Isolations of the semantic cache: who may get the answers to each other's questions.
const (
	PerTenant   = "tenant" // the organisation that the key is bound to, else the key
	PerKey      = "key"
	PerMember   = "member"
	PerCustomer = "customer"
)

// SemanticSpec is the settings of the semantic cache.
type SemanticSpec struct {
	// Mode is off, the default, shadow or serve.
	Mode string `json:"mode,omitempty"`
	// ErrorPercent is how many of a hundred answers may be wrong; default 1, 0.1 to 5.
	ErrorPercent *float64 `json:"error_percent,omitempty"`
	// ExplorePercent is how many of a hundred that could be answered are asked anew, to
	// compare; default 3, 0.1 to 100.
	ExplorePercent *float64 `json:"explore_percent,omitempty"`
	// TTL is how long an answer may be given; default 1h, 1s to 8760h.
	TTL string `json:"ttl,omitempty"`
	// Isolation is tenant, the default, key, member or customer.
	Isolation string `json:"isolation,omitempty"`
	// Volatile answers questions about today, now and the caller's own affairs too.
	Volatile bool `json:"volatile,omitempty"`
	// Epoch separates the answers of before from those of after: change it when what the
	// answers rest on has changed.
	Epoch string `json:"epoch,omitempty"`
	// MinChars and MaxChars are how long a question is that is looked up, in characters;
	// default 8 and 2000, 1 to 2000.
	MinChars *float64 `json:"min_chars,omitempty"`
	MaxChars *float64 `json:"max_chars,omitempty"`
	// MinDelay is what an answer of the semantic cache takes at least, so that its time
	// tells less; default 0s, to 10s.
	MinDelay string `json:"min_delay,omitempty"`
}

// Semantic is a SemanticSpec, read.
type Semantic struct {
	Mode      string
	Error     float64 // 0.01: one of a hundred
	Explore   float64
	TTL       time.Duration
	Isolation string
	Volatile  bool
	Epoch     string
	MinChars  int
	MaxChars  int
	MinDelay  time.Duration
}

// maxEpoch is the longest epoch, in bytes.
const maxEpoch = 128

func (s *SemanticSpec) read() (*Semantic, error) {
	var r reader
	out := &Semantic{
		Mode:      r.oneOf("mode", s.Mode, SemanticOff, SemanticShadow, SemanticServe),
		Error:     number(&r, "error_percent", s.ErrorPercent, 1, 0.1, 5) / 100,
		Explore:   number(&r, "explore_percent", s.ExplorePercent, 3, 0.1, 100) / 100,
		TTL:       r.span("ttl", s.TTL, time.Hour, time.Second, year),
		Isolation: r.oneOf("isolation", s.Isolation, PerTenant, PerKey, PerMember, PerCustomer),
		Volatile:  s.Volatile, Epoch: s.Epoch,
		MinChars: int(number(&r, "min_chars", s.MinChars, 8, 1, 2000)), MaxChars: int(number(&r, "max_chars", s.MaxChars, 2000, 1, 2000)),
		MinDelay: r.span("min_delay", s.MinDelay, 0, 0, 10*time.Second),
	}
	r.short("epoch", s.Epoch, maxEpoch)
	return out, r.err()
}
