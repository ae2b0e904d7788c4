package usage

import (
	"slices"
	"strings"

	"purser/ledger"
)

// Mapping is rules that change what requests are attributed to when somebody asks, in
// order: each sees what those before it made. What is stored stays as it is.
type Mapping struct {
	Rules []MappingRule
}

// MappingRule sets dimensions and tags of what all of When hold for.
type MappingRule struct {
	When []MappingMatch
	Set  []MappingValue
}

// MappingMatch holds where the dimension has one of the values. A value that ends with *
// stands for all that begin with what is before it; "*" alone is any value but none, and
// "" is none.
type MappingMatch struct {
	Dim    ledger.DimRef
	Values []string
}

// MappingValue is what a dimension becomes; "" is none.
type MappingValue struct {
	Dim   ledger.DimRef
	Value string
}

// Apply changes dimensions as the rules say. It owns their tags while it does. A nil
// mapping changes nothing.
func (m *Mapping) Apply(d *ledger.Dimensions) {
	if m == nil {
		return
	}
	for i := range m.Rules {
		r := &m.Rules[i]
		if r.holds(d) {
			for _, s := range r.Set {
				setDim(d, s.Dim, s.Value)
			}
		}
	}
}

func (r *MappingRule) holds(d *ledger.Dimensions) bool {
	for i := range r.When {
		if !r.When[i].holds(d.Get(r.When[i].Dim)) {
			return false
		}
	}
	return true
}

func (m *MappingMatch) holds(value string) bool {
	return slices.ContainsFunc(m.Values, func(pattern string) bool {
		if head, ok := strings.CutSuffix(pattern, "*"); ok {
			return value != "" && strings.HasPrefix(value, head)
		}
		return value == pattern
	})
}

// setDim keeps tags sorted, and none of them empty.
func setDim(d *ledger.Dimensions, ref ledger.DimRef, value string) {
	if ref.Dim != ledger.DimTag {
		d.Values[ref.Dim] = value
		return
	}
	i, found := slices.BinarySearchFunc(d.Tags, ref.Tag, func(t ledger.Tag, name string) int { return strings.Compare(t.Name, name) })
	switch {
	case found && value == "":
		d.Tags = slices.Delete(d.Tags, i, i+1)
	case found:
		d.Tags[i].Value = value
	case value != "":
		d.Tags = slices.Insert(d.Tags, i, ledger.Tag{Name: ref.Tag, Value: value})
	}
}

// sets says whether any rule sets the field.
func (m *Mapping) sets(f Field) bool {
	if m == nil || f.kind != dimension {
		return false
	}
	return slices.ContainsFunc(m.Rules, func(r MappingRule) bool {
		return slices.ContainsFunc(r.Set, func(s MappingValue) bool { return s.Dim == f.dim })
	})
}

// fields are those that rules look at or set, each once.
func (m *Mapping) fields() (list []Field) {
	add := func(d ledger.DimRef) {
		if f := DimField(d); !slices.Contains(list, f) {
			list = append(list, f)
		}
	}
	for _, r := range m.Rules {
		for _, w := range r.When {
			add(w.Dim)
		}
		for _, s := range r.Set {
			add(s.Dim)
		}
	}
	return list
}
