package usage

import (
	"fmt"
	"maps"
	"slices"
)

// Sum puts the parts of an answer together one after the other, as [Merge] does at once.
type Sum struct {
	t     *tally
	limit int
	given map[Field]bool
}

// NewSum begins a sum.
func NewSum(q TotalsQuery) (*Sum, error) {
	t, err := newTally(&q)
	if err != nil {
		return nil, err
	}
	return &Sum{t, q.limit(), map[Field]bool{}}, nil
}

// Add adds a part, which it changes.
func (s *Sum) Add(p *Report) {
	maps.Copy(s.given, p.Given)
	if p.made != nil {
		s.t.add(p.made)
		return
	}
	for i := range p.Rows {
		s.t.merge(&p.Rows[i])
	}
	for i := range p.Others {
		s.t.rest(s.t.interval(p.Others[i].Start)).merge(&p.Others[i])
	}
}

// AddRows adds rows that [AppendRow] wrote, as they are, or to the rest of their intervals.
// After an error the sum is of no use.
func (s *Sum) AddRows(b []byte, rest bool) error {
	for len(b) > 0 {
		r, left, err := DecodeRow(b)
		if err != nil {
			return err
		}
		b = left
		if rest {
			s.t.rest(s.t.interval(r.Start)).merge(&r)
		} else {
			s.t.merge(&r)
		}
	}
	return nil
}

// Report is what was added up.
func (s *Sum) Report() *Report {
	rep := s.t.report(s.limit)
	rep.Given = s.given
	return rep
}

// Give notes fields of which a part has given up values, by their names.
func (s *Sum) Give(names []string) error {
	for _, name := range names {
		f, ok := ParseField(name)
		if !ok {
			return fmt.Errorf("the field %q: %w", name, ErrForm)
		}
		s.given[f] = true
	}
	return nil
}

// GivenNames are the names of the fields of which a report has given up values.
func (rep *Report) GivenNames() (names []string) {
	for f, given := range rep.Given {
		if given {
			names = append(names, f.String())
		}
	}
	slices.Sort(names)
	return names
}
