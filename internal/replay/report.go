package replay

import "purser/ledger"

// Levers are the ones that a replay books savings for, by the names of usage records.
const (
	ExactCache  = "exact_cache"
	NativeCache = "native_cache"
	Compression = "compression"
	Routing     = "routing"
)

// Report is what came of a replay.
type Report struct {
	Recorded Sum `json:"recorded"`
	Replayed Sum `json:"replayed"`
	// Groups are by the values of the dimensions that were asked for; "" for none set.
	// There are at most [MaxGroups], the rest is under "other".
	Groups map[string]*Pair `json:"groups,omitempty"`
}

// Pair is a group before and after.
type Pair struct {
	Recorded Sum `json:"recorded"`
	Replayed Sum `json:"replayed"`
}

// MaxGroups bounds the groups of a report.
const MaxGroups = 4096

// Sum is what requests came to, in nano-dollars where it is money.
type Sum struct {
	Requests int64         `json:"requests"`
	Calls    int64         `json:"calls"` // that were made
	Hits     int64         `json:"cache_hits"`
	Refused  int64         `json:"refused"`
	Cost     ledger.Amount `json:"cost_nanousd"`
	Baseline ledger.Amount `json:"baseline_nanousd"`     // without levers, of requests that were not refused
	Denied   ledger.Amount `json:"refused_cost_nanousd"` // of requests that were refused
	Input    int64         `json:"input_tokens"`         // of the calls
	Read     int64         `json:"read_tokens"`          // of those, from the provider's cache

	Saved map[string]ledger.Amount `json:"savings_nanousd,omitempty"` // by lever

	// Estimated is requests whose usage is not known, and Unpriced calls of models that
	// the catalogue has no price for: they are left at what was recorded.
	Estimated int64 `json:"estimated"`
	Unpriced  int64 `json:"unpriced"`
}

func (s *Sum) save(lever string, amount ledger.Amount) {
	if amount == 0 {
		return
	}
	if s.Saved == nil {
		s.Saved = map[string]ledger.Amount{}
	}
	s.Saved[lever] += amount
}
