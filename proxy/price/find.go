package price

import (
	"maps"
	"strings"

	"purser/ledger"
)

// maxName is the longest model name that is looked up, in bytes. The longest in
// the catalogue has fewer than 100.
const maxName = 256

// maxMemo bounds how many names are remembered. Callers choose names, so the
// memory must not follow them; beyond it a lookup only walks the rules again.
const maxMemo = 4096

// question is what Find was asked, the instant aside.
type question struct{ provider, region, model string }

// Find returns the rate of a provider's model at an instant, or false if the
// catalogue has no price for it. The provider is its catalogue ID, and the
// model the name the caller gave; neither is kept.
//
// Overrides are asked first, then the snapshot. Within each, a name that a
// model lists exactly wins over any pattern; of two patterns, or two that list
// the same name, the earlier in the catalogue wins. Then the same is tried with
// a date "-20250807" in the name written "-2025-08-07", then the providers
// whose prices this one sells at, in order, without their overrides; and last
// the operator's ceiling. From what is found, a contract's discounts are taken
// (see [Catalogue.WithDiscounts]); those of a ceiling are none.
func (c *Catalogue) Find(provider, model string, at ledger.Instant) (*Rate, bool) {
	return c.FindIn(provider, "", model, at)
}

// FindIn is Find where the call is processed in a region of the provider's,
// such as "eu". A model without a price for the region has its price for any.
func (c *Catalogue) FindIn(provider, region, model string, at ledger.Instant) (*Rate, bool) {
	q := question{provider, region, model}
	m, known := (*c.memo.Load())[q]
	if !known && len(model) <= maxName {
		if m = c.contracted(q, lower(model), c.resolve(q)); m != nil {
			c.remember(q, m)
		}
	}
	if m != nil {
		if r := m.at(at); r != nil {
			return r, true
		}
	}
	if m = c.ceiling(q); m != nil {
		r := m.at(at)
		return r, r != nil
	}
	return nil, false
}

// remember keeps the answer to q, with copies of its strings: the caller's may
// be parts of a buffer.
func (c *Catalogue) remember(q question, m *model) {
	c.memoMu.Lock()
	defer c.memoMu.Unlock()
	old := *c.memo.Load()
	if len(old) >= maxMemo {
		return
	}
	grown := maps.Clone(old)
	grown[question{strings.Clone(q.provider), strings.Clone(q.region), strings.Clone(q.model)}] = m
	c.memo.Store(&grown)
}

func (c *Catalogue) resolve(q question) *model {
	name := lower(q.model)
	if m := c.among(q, name); m != nil {
		return m
	}
	dashed, ok := dashedDate(name)
	if ok {
		if m := c.among(q, dashed); m != nil {
			return m
		}
	}
	for _, p := range c.fallback[q.provider] {
		for _, region := range regions(q.region) {
			s := c.base[place{p, region}]
			if m := s.find(name); m != nil {
				return m
			}
			if m := s.find(dashed); m != nil {
				return m
			}
		}
	}
	return nil
}

// among asks the provider's own shelves, overrides first, region first.
func (c *Catalogue) among(q question, name string) *model {
	for _, shelves := range [2]map[place]*shelf{c.overrides, c.base} {
		for _, region := range regions(q.region) {
			if m := shelves[place{q.provider, region}].find(name); m != nil {
				return m
			}
		}
	}
	return nil
}

func (c *Catalogue) ceiling(q question) *model {
	for _, region := range [2]string{q.region, ""} {
		if s := c.overrides[place{q.provider, region}]; s != nil && s.ceiling != nil {
			return s.ceiling
		}
	}
	return nil
}

func regions(r string) []string {
	if r == "" {
		return []string{""}
	}
	return []string{r, ""}
}

// find returns the model that answers to a name in lower case. A nil shelf has none.
func (s *shelf) find(name string) *model {
	if s == nil {
		return nil
	}
	if m := s.exact[name]; m != nil {
		return m
	}
	for _, m := range s.rules {
		if m.matches(name) {
			return m
		}
	}
	return nil
}

func lower(name string) string { return strings.ToLower(strings.TrimSpace(name)) }
