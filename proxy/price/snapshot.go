package price

// Snapshot is a catalogue as data. Its encoding is JSON with one rate a line,
// so that two generations of it can be compared with a diff.
type Snapshot struct {
	Version   int        `json:"version"` // of this format: 1
	Source    string     `json:"source"`  // what it was made from
	Providers []Provider `json:"providers"`
	Models    []Model    `json:"models"`
}

// Provider is one seller of models.
type Provider struct {
	ID       string   `json:"provider"`
	Fallback []string `json:"fallback,omitempty"` // providers whose prices it sells at, in the order they are asked
}

// Model is one model of one provider: the names it answers to, its limits and
// its rates.
type Model struct {
	Provider      string `json:"provider"`
	Region        string `json:"region,omitempty"`
	ID            string `json:"model"`
	Match         Match  `json:"match,omitzero"` // an empty match is the ID itself
	ContextWindow int64  `json:"context_window,omitempty"`
	MaxOutput     int64  `json:"max_output,omitempty"`
	Tokenizer     string `json:"tokenizer,omitempty"`
	Source        string `json:"source,omitempty"`
	Ceiling       bool   `json:"ceiling,omitempty"` // prices whatever the provider has no price for
	Rates         []Row  `json:"rates"`
}

// Match says which names a model answers to: any of its forms may hold. Names
// are compared in lower case.
type Match struct {
	Equals   []string `json:"equals,omitempty"`
	Prefix   []string `json:"prefix,omitempty"`
	Suffix   []string `json:"suffix,omitempty"`
	Contains []string `json:"contains,omitempty"`
	Regex    []string `json:"regex,omitempty"` // RE2
}

// Row is the prices of one model at one service tier, in one span of time, from
// one size of input on. Prices are pico-dollars for one token or one call,
// which is also micro-dollars for a million.
type Row struct {
	Tier        string           `json:"tier,omitempty"`         // "" is standard
	From        string           `json:"from,omitempty"`         // first day, "2026-07-30", UTC; "" is always
	Until       string           `json:"until,omitempty"`        // first day after; "" is until another row begins
	Daily       string           `json:"daily,omitempty"`        // "16:30-00:30", UTC, the end not included; "" is all day
	ContextFrom int64            `json:"context_from,omitempty"` // least total input tokens, cached ones included
	Prices      map[string]int64 `json:"pico_usd"`               // by meter name
}
