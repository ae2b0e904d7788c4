package node

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"purser/internal/governance"
	"purser/internal/record"
	"purser/internal/usage"
	"purser/ledger"
)

// mappings are the rules that reports are mapped by, read again when an object has changed.
type mappings struct {
	mu      sync.Mutex
	read    bool
	version uint64 // of the objects that rules and err were read from
	rules   *usage.Mapping
	err     error
}

// mapping is what changes the dimensions of records in reports and exports; nil for
// nothing. An error is rules that this node cannot follow: no report is right without them.
func (n *Node) mapping() (*usage.Mapping, error) {
	m := &n.mappings
	m.mu.Lock()
	defer m.mu.Unlock()
	if version := n.fsm.Versions().Objects; !m.read || m.version != version {
		m.rules, m.err = readMapping(governance.Mappings(n.fsm.Directory()))
		m.read, m.version = true, version
	}
	return m.rules, m.err
}

// mapped shows records as a mapping has them, one at a time.
type mapped struct {
	rules *usage.Mapping // nil: as they were recorded
	r     record.Record  // scratch
}

// of is the record as it is mapped, valid until the next; r stays as it is.
func (m *mapped) of(r *record.Record) *record.Record {
	if m.rules == nil {
		return r
	}
	tags := append(m.r.Dims.Tags[:0], r.Dims.Tags...)
	m.r = *r
	m.r.Dims.Tags = tags
	if m.r.Dims.Values[ledger.DimModel] == "" {
		m.r.Dims.Values[ledger.DimModel] = r.Model // as its field is
	}
	m.rules.Apply(&m.r.Dims)
	return &m.r
}

func readMapping(rules []governance.MappingRule, err error) (*usage.Mapping, error) {
	if err != nil || len(rules) == 0 {
		return nil, err
	}
	out := &usage.Mapping{}
	for _, r := range rules {
		var to usage.MappingRule
		for _, name := range slices.Sorted(maps.Keys(r.When)) {
			dim, err := ledger.ParseDimRef(name)
			if err != nil {
				return nil, fmt.Errorf("read a mapping: %w", err)
			}
			match := usage.MappingMatch{Dim: dim}
			for _, v := range r.When[name] {
				match.Values = append(match.Values, governance.Allocated(v))
			}
			to.When = append(to.When, match)
		}
		for _, name := range slices.Sorted(maps.Keys(r.Set)) {
			dim, err := ledger.ParseDimRef(name)
			if err != nil {
				return nil, fmt.Errorf("read a mapping: %w", err)
			}
			to.Set = append(to.Set, usage.MappingValue{Dim: dim, Value: governance.Allocated(r.Set[name])})
		}
		out.Rules = append(out.Rules, to)
	}
	return out, nil
}
