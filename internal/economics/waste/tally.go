package waste

import (
	"cmp"
	"slices"
	"strings"

	"purser/internal/record"
	"purser/ledger"
)

// Sum is what some records come to: Total is Justified and all that was wasted, and
// Justified is Confirmed, Fruitless and Unjudged.
type Sum struct {
	Records  int64 // that cost something
	Wasteful int64 // of those, with some waste

	Total, Justified               ledger.Amount
	Confirmed, Fruitless, Unjudged ledger.Amount
	Wasted                         [NumClasses]ledger.Amount
}

// Waste is the sum over the classes.
func (s *Sum) Waste() (all ledger.Amount) {
	for _, a := range s.Wasted {
		all += a
	}
	return all
}

// Score is the share that was justified; ok is false where nothing was spent.
func (s *Sum) Score() (score float64, ok bool) {
	if s.Total <= 0 {
		return 0, false
	}
	return float64(s.Justified) / float64(s.Total), true
}

func (s *Sum) add(v *Verdict) {
	s.Total += v.Cost
	s.Justified += v.Justified
	switch v.Standing {
	case Confirmed:
		s.Confirmed += v.Justified
	case Fruitless:
		s.Fruitless += v.Justified
	default:
		s.Unjudged += v.Justified
	}
	if v.Cost != 0 {
		s.Records++
	}
	if len(v.Parts) > 0 {
		s.Wasteful++
	}
	for i := range v.Parts {
		s.Wasted[v.Parts[i].Class] += v.Parts[i].Amount
	}
}

// By is a way of grouping records.
type By struct {
	Name string
	Of   func(*record.Record) string // "": the record has no such value
}

// Finding is one kind of waste with one lever.
type Finding struct {
	Class    Class
	Lever    Lever
	Amount   ledger.Amount
	Records  int64
	Saves    ledger.Amount // what the lever would have saved, less what it costs
	Saving   bool          // Saves is known
	Examples []Example     // the dearest, those first
}

// Example is one record's part.
type Example struct {
	Part
	ID      string
	Attempt int
	At      ledger.Instant
	Cost    ledger.Amount // of the record
	Dims    [ledger.NumDims]string
}

// Rank is the records by the values of one way of grouping them.
type Rank struct {
	By     string
	Groups []Group // those with the most waste first
	Rest   *Group  // of values beyond the limit, and beyond what was asked for; nil for none
}

// Group is the records with one value.
type Group struct {
	Value string
	Sum
}

// Tally adds verdicts up.
type Tally struct {
	Sum
	by       []By
	limit    int
	examples int
	groups   []map[string]*Group
	rest     []*Group
	findings map[[2]uint8]*Finding
}

// NewTally adds up by these groupings, of each at most limit values; of each finding it
// keeps so many examples.
func NewTally(by []By, limit, examples int) *Tally {
	t := &Tally{by: by, limit: limit, examples: examples, groups: make([]map[string]*Group, len(by)), rest: make([]*Group, len(by)), findings: map[[2]uint8]*Finding{}}
	for i := range by {
		t.groups[i] = map[string]*Group{}
	}
	return t
}

// Add takes in what became of a record.
func (t *Tally) Add(r *record.Record, v *Verdict) {
	t.add(v)
	for i := range t.by {
		value := t.by[i].Of(r)
		if value == "" {
			continue
		}
		g := t.groups[i][value]
		if g == nil && len(t.groups[i]) < t.limit {
			value = strings.Clone(value) // the record's is another's soon
			g = &Group{Value: value}
			t.groups[i][value] = g
		}
		if g == nil {
			if g = t.rest[i]; g == nil {
				g = &Group{}
				t.rest[i] = g
			}
		}
		g.add(v)
	}
	for i := range v.Parts {
		t.find(r, v, &v.Parts[i])
	}
}

func (t *Tally) find(r *record.Record, v *Verdict, p *Part) {
	k := [2]uint8{uint8(p.Class), uint8(p.Lever)}
	f := t.findings[k]
	if f == nil {
		f = &Finding{Class: p.Class, Lever: p.Lever}
		t.findings[k] = f
	}
	f.Amount += p.Amount
	f.Records++
	if p.Saving {
		f.Saving = true
		f.Saves += p.Saves
	}
	if len(f.Examples) == t.examples && (t.examples == 0 || f.Examples[len(f.Examples)-1].Amount >= p.Amount) {
		return
	}
	e := Example{Part: *p, ID: strings.Clone(r.ID), Attempt: r.Attempt, At: r.At, Cost: v.Cost}
	for i, value := range r.Dims.Values {
		e.Dims[i] = strings.Clone(value)
	}
	at, _ := slices.BinarySearchFunc(f.Examples, p.Amount, func(e Example, a ledger.Amount) int {
		if e.Amount >= a { // equal ones stay before it
			return -1
		}
		return 1
	})
	f.Examples = slices.Insert(f.Examples, at, e)
	f.Examples = f.Examples[:min(len(f.Examples), t.examples)]
}

// Findings are all kinds of waste found, the dearest first.
func (t *Tally) Findings() (list []Finding) {
	for _, f := range t.findings {
		list = append(list, *f)
	}
	slices.SortFunc(list, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Amount, a.Amount), cmp.Compare(a.Class, b.Class), cmp.Compare(a.Lever, b.Lever))
	})
	return list
}

// Ranks are the groupings, of each at most so many groups.
func (t *Tally) Ranks(most int) (list []Rank) {
	for i := range t.by {
		r := Rank{By: t.by[i].Name}
		for _, g := range t.groups[i] {
			r.Groups = append(r.Groups, *g)
		}
		slices.SortFunc(r.Groups, func(a, b Group) int {
			return cmp.Or(cmp.Compare(b.Waste(), a.Waste()), cmp.Compare(b.Total, a.Total), cmp.Compare(a.Value, b.Value))
		})
		var rest *Group
		if t.rest[i] != nil {
			all := *t.rest[i]
			rest = &all
		}
		for len(r.Groups) > most {
			last := &r.Groups[len(r.Groups)-1]
			if rest == nil {
				rest = &Group{}
			}
			rest.plus(&last.Sum)
			r.Groups = r.Groups[:len(r.Groups)-1]
		}
		r.Rest = rest
		list = append(list, r)
	}
	return list
}

func (s *Sum) plus(o *Sum) {
	s.Records += o.Records
	s.Wasteful += o.Wasteful
	s.Total += o.Total
	s.Justified += o.Justified
	s.Confirmed += o.Confirmed
	s.Fruitless += o.Fruitless
	s.Unjudged += o.Unjudged
	for c := range s.Wasted {
		s.Wasted[c] += o.Wasted[c]
	}
}
