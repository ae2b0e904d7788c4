package governance

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"purser/internal/directory"
	"purser/ledger"
)

const (
	// maxMappingRules bounds the rules of one mapping, and of all of them together: each
	// is looked at for each combination of values that a report reads.
	maxMappingRules = 256
	// MaxMappingRules is how many rules all mappings may have together.
	MaxMappingRules = 1024
)

// Mapping changes what requests are attributed to in reports. What was recorded stays.
type Mapping struct {
	Description string        `json:"description,omitempty"`
	Order       int           `json:"order,omitempty"` // mappings with less come first, then those of lesser ids
	Disabled    bool          `json:"disabled,omitempty"`
	Rules       []MappingRule `json:"rules"` // in order: each sees what those before it made
}

// MappingRule sets dimensions ("team") and tags ("tag:job") of what all of When hold for.
type MappingRule struct {
	// When are values of dimensions, of which each must have one. "acme*" are those that
	// begin with acme, "*" is any, "unallocated" is none.
	When map[string][]string `json:"when"`
	// Set are the values that dimensions get; "unallocated" is none.
	Set map[string]string `json:"set"`
}

// unallocated stands for a dimension that is not set.
const unallocated = "unallocated"

// Validate implements Spec.
func (m *Mapping) Validate() error {
	errs := []error{texts("description", m.Description)}
	if n := len(m.Rules); n == 0 || n > maxMappingRules {
		errs = append(errs, fmt.Errorf("rules: there are %d, and must be 1 to %d", n, maxMappingRules))
	}
	for i := range m.Rules {
		if err := m.Rules[i].validate(); err != nil {
			errs = append(errs, fmt.Errorf("rules[%d]: %w", i, err))
		}
	}
	return errors.Join(errs...)
}

func (r *MappingRule) validate() error {
	if len(r.When) == 0 || len(r.Set) == 0 {
		return errors.New("when and set must each name a dimension")
	}
	for _, name := range slices.Sorted(maps.Keys(r.When)) {
		if _, err := ledger.ParseDimRef(name); err != nil {
			return fmt.Errorf("when: %w", err)
		}
		if len(r.When[name]) == 0 {
			return fmt.Errorf("when.%s has no values", name)
		}
		for _, v := range r.When[name] {
			if err := mappedValue(strings.TrimSuffix(v, "*"), v == "*"); err != nil {
				return fmt.Errorf("when.%s: %w", name, err)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Set)) {
		if _, err := ledger.ParseDimRef(name); err != nil {
			return fmt.Errorf("set: %w", err)
		}
		if err := mappedValue(r.Set[name], false); err != nil {
			return fmt.Errorf("set.%s: %w", name, err)
		}
	}
	return nil
}

func mappedValue(v string, empty bool) error {
	switch {
	case v == "" && !empty:
		return errors.New(`a value is empty: write "unallocated" for none`)
	case len(v) > ledger.MaxDimValue:
		return fmt.Errorf("a value is longer than %d bytes", ledger.MaxDimValue)
	case strings.Contains(v, "*"):
		return fmt.Errorf("%q: * stands at the end of what dimensions are compared with, and nowhere else", v)
	}
	return texts("a value", v)
}

// Refs implements Spec.
func (*Mapping) Refs() []directory.Ref { return nil }

// Allocated is a value as dimensions have it: "" for "unallocated".
func Allocated(v string) string {
	if v == unallocated {
		return ""
	}
	return v
}

// Mappings reads the rules of a directory that are not disabled, in their order. Requests
// do not depend on them: an error is a mapping that this build cannot read, or that there
// are too many, and then no report is what it ought to be.
func Mappings(s *directory.State) ([]MappingRule, error) {
	type numbered struct {
		id string
		*Mapping
	}
	var list []numbered
	k, _ := kindNumbered(directory.ObjectMapping)
	for o := range s.Objects(directory.ObjectMapping) {
		spec, err := k.Decode(o.Spec)
		if err != nil {
			return nil, fmt.Errorf("%s is not readable by this build: %w", Named(o.Ref), err)
		}
		if m := spec.(*Mapping); !m.Disabled {
			list = append(list, numbered{o.ID, m})
		}
	}
	slices.SortFunc(list, func(a, b numbered) int { return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.id, b.id)) })
	var rules []MappingRule
	for _, m := range list {
		rules = append(rules, m.Rules...)
	}
	if len(rules) > MaxMappingRules {
		return nil, fmt.Errorf("the mappings have %d rules, the most is %d: disable or delete some", len(rules), MaxMappingRules)
	}
	return rules, nil
}
