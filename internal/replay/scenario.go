package replay

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"purser/ledger"
)

// Scenario is settings to replay traffic under. What it leaves out stays as recorded.
type Scenario struct {
	Name    string
	Routing []Rule
	// Cache is the exact cache; nil leaves hits as they were.
	Cache *Cache
	// Prompts is the provider's own cache; nil leaves reads and writes as they were.
	Prompts *Prompts
	// Kept is the part of input tokens that compression leaves, of calls that were not
	// compressed; 0 leaves them as they were.
	Kept float64
	// Budgets decide which requests are refused; nil leaves refusals as they were.
	Budgets []ledger.Budget
}

// Rule sends some calls to another model.
type Rule struct {
	Match    []ledger.Condition // all must hold; none: every call
	Models   []string           // that were called; none: every model
	MaxInput int64              // input tokens; 0: any number
	Share    float64            // of the calls it is for, by their identity or else their time; 0 means all
	Provider string             // "" for the one that was called
	Model    string
}

// Cache is the exact cache of a scenario.
type Cache struct {
	Off bool
	TTL time.Duration
}

// Prompts is the provider's own cache in a scenario.
type Prompts struct {
	Off bool
	// TTL is how long a provider remembers a block of a trace after its last use.
	TTL time.Duration
}

// Validate says what is wrong with it.
func (s *Scenario) Validate() error {
	var errs []error
	for i := range s.Routing {
		r := &s.Routing[i]
		if r.Model == "" {
			errs = append(errs, fmt.Errorf("routing[%d]: the model to send calls to is missing", i))
		}
		if r.Share < 0 || r.Share > 1 || r.MaxInput < 0 {
			errs = append(errs, fmt.Errorf("routing[%d]: share is %v, not within 0 to 1, or max_input is negative", i, r.Share))
		}
	}
	if s.Kept < 0 || s.Kept > 1 {
		errs = append(errs, fmt.Errorf("compression: kept is %v, not within 0 to 1", s.Kept))
	}
	if s.Cache != nil && !s.Cache.Off && s.Cache.TTL <= 0 {
		errs = append(errs, errors.New("cache: ttl is missing"))
	}
	for i := range s.Budgets {
		b := &s.Budgets[i]
		if err := b.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("budget %s: %w", b.ID, err))
		}
		if b.Unit == ledger.Slots {
			errs = append(errs, fmt.Errorf("budget %s: how many requests run at once is not in records, so slots cannot be replayed", b.ID))
		}
	}
	return errors.Join(errs...)
}

// takes says whether the rule is for a call.
func (r *Rule) takes(q *Request) bool {
	for i := range r.Match {
		if !slices.Contains(r.Match[i].Values, q.Dims.Get(r.Match[i].Dim)) {
			return false
		}
	}
	if len(r.Models) > 0 && !slices.Contains(r.Models, q.Dims.Values[ledger.DimModel]) {
		return false
	}
	if r.MaxInput > 0 && q.Usage.TotalInput() > r.MaxInput {
		return false
	}
	return r.Share == 0 || draw(q) < r.Share
}

// draw is a number from 0 to 1 that equal requests share.
func draw(q *Request) float64 {
	h := q.Identity
	if h == 0 {
		h = uint64(q.At)
	}
	// The finalizer of SplitMix64 (Steele, Lea and Flood 2014).
	h ^= h >> 30
	h *= 0xbf58476d1ce4e5b9
	h ^= h >> 27
	h *= 0x94d049bb133111eb
	h ^= h >> 31
	return float64(h>>11) / (1 << 53)
}
