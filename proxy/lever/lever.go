package lever

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"purser/ledger"
)

// Set is the settings of one request. Its parts are immutable and never nil.
type Set struct {
	Cache       *Cache
	Semantic    *Semantic
	PromptCache *PromptCache
	Compression *Compression
}

// Default is the settings of requests that no object says anything of.
func Default() Set { return defaults }

var defaults = Set{Cache: must((&CacheSpec{}).read()), Semantic: must((&SemanticSpec{}).read()), PromptCache: must((&PromptCacheSpec{}).read()), Compression: must((&CompressionSpec{}).read())}

// must is for the empty specs, which say nothing that could be wrong.
func must[T any](v *T, err error) *T {
	if err != nil {
		panic(err)
	}
	return v
}

// Spec is what an object of the kind "lever" says. A block that is missing says
// nothing of its lever.
type Spec struct {
	// Match is the requests it is for: dimension to the values it may have. None
	// means every request.
	Match map[string][]string `json:"match,omitempty"`
	// Routes are the names that clients ask for, of routes or models. None means all.
	Routes []string `json:"routes,omitempty"`

	Cache       *CacheSpec       `json:"cache,omitempty"`
	Semantic    *SemanticSpec    `json:"semantic,omitempty"`
	PromptCache *PromptCacheSpec `json:"prompt_cache,omitempty"`
	Compression *CompressionSpec `json:"compression,omitempty"`
}

// Limits of a spec.
const (
	maxMatch  = 16
	maxValues = 256
	maxRoutes = 256
)

// Validate says what is wrong with it, by the names of its fields.
func (s *Spec) Validate() error {
	_, err := s.Rule("")
	return err
}

// Rule is a spec, read. It is immutable.
type Rule struct {
	Name   string
	match  []ledger.Condition
	routes []string
	set    Set // nil where it says nothing
}

// Rule reads the spec.
func (s *Spec) Rule(name string) (*Rule, error) {
	r := &Rule{Name: name, routes: s.Routes}
	var err error
	if len(s.Routes) > maxRoutes || slices.Contains(s.Routes, "") {
		err = fmt.Errorf("routes has %d names, or an empty one; it takes up to %d", len(s.Routes), maxRoutes)
	}
	var matched error
	r.match, matched = readMatch(s.Match)
	err = errors.Join(err, matched)
	if s.Cache != nil {
		r.set.Cache = block("cache", s.Cache.read, &err)
	}
	if s.Semantic != nil {
		r.set.Semantic = block("semantic", s.Semantic.read, &err)
	}
	if s.PromptCache != nil {
		r.set.PromptCache = block("prompt_cache", s.PromptCache.read, &err)
	}
	if s.Compression != nil {
		r.set.Compression = block("compression", s.Compression.read, &err)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// block reads one block, and adds what is wrong with it to errs under its name.
func block[T any](name string, read func() (*T, error), errs *error) *T {
	v, err := read()
	if err != nil {
		*errs = errors.Join(*errs, fmt.Errorf("%s: %w", name, err))
	}
	return v
}

func readMatch(match map[string][]string) (list []ledger.Condition, err error) {
	if len(match) > maxMatch {
		return nil, fmt.Errorf("match has %d dimensions, the most is %d", len(match), maxMatch)
	}
	for name, values := range match {
		ref, err := ledger.ParseDimRef(name)
		if err != nil {
			return nil, fmt.Errorf("match: %w", err)
		}
		if len(values) == 0 || len(values) > maxValues {
			return nil, fmt.Errorf("match: %s has %d values, not 1 to %d", name, len(values), maxValues)
		}
		list = append(list, ledger.Condition{Dim: ref, Values: values})
	}
	return list, nil
}

// covers says whether the rule is for requests that ask for a name and have these
// dimensions.
func (r *Rule) covers(asked string, d *ledger.Dimensions) bool {
	if len(r.routes) > 0 && !slices.Contains(r.routes, asked) {
		return false
	}
	for i := range r.match {
		if !slices.Contains(r.match[i].Values, d.Get(r.match[i].Dim)) {
			return false
		}
	}
	return true
}

// Choose gives the settings of a request that asks for a name, of a route or a model,
// and has these dimensions: of each lever those of the first rule that has them.
func Choose(rules []*Rule, asked string, d *ledger.Dimensions) Set {
	var out Set
	for _, r := range rules {
		if r.covers(asked, d) {
			out = out.or(r.set)
		}
	}
	return out.or(defaults)
}

func (s Set) or(o Set) Set {
	if s.Cache == nil {
		s.Cache = o.Cache
	}
	if s.Semantic == nil {
		s.Semantic = o.Semantic
	}
	if s.PromptCache == nil {
		s.PromptCache = o.PromptCache
	}
	if s.Compression == nil {
		s.Compression = o.Compression
	}
	return s
}

// reader gathers what is wrong with the fields of a block.
type reader struct{ errs []error }

func (r *reader) oneOf(field, v string, otherwise string, others ...string) string {
	if v == "" || v == otherwise {
		return otherwise
	}
	if !slices.Contains(others, v) {
		r.errs = append(r.errs, fmt.Errorf("%s %q is none of %v", field, v, append([]string{otherwise}, others...)))
	}
	return v
}

func (r *reader) span(field, text string, otherwise, low, high time.Duration) time.Duration {
	if text == "" {
		return otherwise
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < low || d > high {
		r.errs = append(r.errs, fmt.Errorf("%s %q is not a duration within %v to %v", field, text, low, high))
	}
	return d
}

func number[T int | int64 | float64](r *reader, field string, v *T, otherwise, low, high T) T {
	if v == nil {
		return otherwise
	}
	if *v < low || *v > high || *v != *v {
		r.errs = append(r.errs, fmt.Errorf("%s is %v, not within %v to %v", field, *v, low, high))
	}
	return *v
}

func (r *reader) err() error { return errors.Join(r.errs...) }

func (r *reader) short(field, v string, most int) {
	if len(v) > most {
		r.errs = append(r.errs, fmt.Errorf("%s has %d bytes, the most is %d", field, len(v), most))
	}
}
