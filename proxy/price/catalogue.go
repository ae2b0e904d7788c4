package price

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

//go:embed catalogue.json
var snapshot []byte

// Catalogue finds rates. It is immutable and safe for concurrent use.
//
// A rate's ID is
//
//	provider[:region]/model[@first day][~hours][+override][%discounts]
//
// and provider[:region]/unpriced for a ceiling. Discounts are named by their
// positions, from 1: "%1,3". The provider and the model are
// the catalogue's own names: an Azure call that is sold at OpenAI's price has
// OpenAI's rate ID.
type Catalogue struct {
	hash      string // of all rows
	baseHash  string // of the snapshot alone
	fallback  map[string][]string
	base      map[place]*shelf
	overrides map[place]*shelf
	added     []Model // what With was given, newest first
	terms     []Discount
	discounts []discount // of terms, position by position
	scale     int64      // in which fraction of a pico-dollar contracted prices are whole
	memo      atomic.Pointer[map[question]*model]
	memoMu    sync.Mutex        // held to grow memo and agreed
	agreed    map[agreed]*model // at most maxMemo
}

// place is where the models of one seller stand.
type place struct{ provider, region string }

// shelf is the models of one place.
type shelf struct {
	exact   map[string]*model // by each name of an equality, lower case
	rules   []*model          // those with patterns, in order
	ids     []string          // the models' own names, in order
	byID    map[string]*model
	ceiling *model
}

// Embedded is the catalogue compiled into the program. It is parsed on first
// use, once.
var Embedded = sync.OnceValue(func() *Catalogue {
	s, err := decode(snapshot)
	if err != nil {
		panic(fmt.Sprintf("price: the embedded catalogue: %v", err)) // a test parses it
	}
	c, err := build(s)
	if err != nil {
		panic(fmt.Sprintf("price: the embedded catalogue: %v", err))
	}
	c.hash = hashOf(snapshot)
	c.baseHash = c.hash
	return c
})

// Parse reads a snapshot as [Snapshot.Encode] writes it. Unknown fields are
// errors. The hash is that of the canonical encoding, not of data.
func Parse(data []byte) (*Catalogue, error) {
	s, err := decode(data)
	if err != nil {
		return nil, err
	}
	c, err := build(s)
	if err != nil {
		return nil, err
	}
	c.hash = hashOf(s.Encode())
	c.baseHash = c.hash
	return c, nil
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Hash identifies the rows of the catalogue, overrides included: the SHA-256 of
// their canonical encoding, in hex.
func (c *Catalogue) Hash() string { return c.hash }

func build(s *Snapshot) (*Catalogue, error) {
	c := &Catalogue{fallback: map[string][]string{}}
	for _, p := range s.Providers {
		if _, dup := c.fallback[p.ID]; dup || p.ID == "" {
			return nil, fmt.Errorf("provider %q is listed twice or has no name", p.ID)
		}
		c.fallback[p.ID] = p.Fallback
	}
	for _, p := range s.Providers {
		for _, f := range p.Fallback {
			if _, ok := c.fallback[f]; !ok {
				return nil, fmt.Errorf("provider %q falls back to %q, which is not listed", p.ID, f)
			}
		}
	}
	var err error
	if c.base, err = shelve(s.Models, ""); err != nil {
		return nil, err
	}
	for at := range c.base {
		if _, ok := c.fallback[at.provider]; !ok {
			return nil, fmt.Errorf("provider %q has models but is not listed", at.provider)
		}
	}
	c.memo.Store(&map[question]*model{})
	return c, nil
}

// shelve compiles models and sorts them by place. A name that two models of one
// place claim belongs to the first; two models of one ID are an error.
func shelve(models []Model, mark string) (map[place]*shelf, error) {
	shelves := map[place]*shelf{}
	for i := range models {
		m, err := compile(&models[i], mark)
		if err != nil {
			return nil, err
		}
		at := place{models[i].Provider, models[i].Region}
		s := shelves[at]
		if s == nil {
			s = &shelf{exact: map[string]*model{}, byID: map[string]*model{}}
			shelves[at] = s
		}
		if err := s.add(m); err != nil {
			return nil, fmt.Errorf("provider %q: %w", at.provider, err)
		}
	}
	return shelves, nil
}

func (s *shelf) add(m *model) error {
	if m.Ceiling {
		if s.ceiling != nil {
			return errors.New("has two ceilings")
		}
		s.ceiling = m
		return nil
	}
	if s.byID[m.ID] != nil {
		return fmt.Errorf("model %q is listed twice", m.ID)
	}
	s.byID[m.ID] = m
	s.ids = append(s.ids, m.ID)
	for _, name := range m.names {
		if s.exact[name] == nil {
			s.exact[name] = m
		}
	}
	if m.patterns() {
		s.rules = append(s.rules, m)
	}
	return nil
}

// With returns the catalogue with models of an operator's own, which are asked
// before the catalogue's. One that carries the ID of a model of the same
// provider and region replaces all its rates and takes from it what it leaves
// out: names, limits and tokenizer. A later With is asked before an earlier.
func (c *Catalogue) With(models []Model) (*Catalogue, error) {
	given := map[place]map[string]bool{}
	full := make([]Model, 0, len(models)+len(c.added))
	for _, m := range models {
		at := place{m.Provider, m.Region}
		if given[at] == nil {
			given[at] = map[string]bool{}
		}
		if given[at][m.ID] {
			return nil, fmt.Errorf("provider %q: model %q is given twice", m.Provider, m.ID)
		}
		given[at][m.ID] = true
		full = append(full, c.complete(m))
	}
	for _, m := range c.added {
		if !given[place{m.Provider, m.Region}][m.ID] {
			full = append(full, m)
		}
	}
	overrides, err := shelve(full, "+override")
	if err != nil {
		return nil, err
	}
	d := c.copied()
	d.overrides, d.added = overrides, full
	if err := d.fits(); err != nil {
		return nil, err
	}
	d.seal()
	return d, nil
}

// copied shares the rows, and nothing that is learned from questions.
func (c *Catalogue) copied() *Catalogue {
	d := &Catalogue{
		baseHash: c.baseHash, fallback: c.fallback, base: c.base, overrides: c.overrides, added: c.added,
		terms: c.terms, discounts: c.discounts, scale: c.scale, agreed: map[agreed]*model{},
	}
	d.memo.Store(&map[question]*model{})
	return d
}

// seal computes the hash of what was added to the snapshot.
func (c *Catalogue) seal() {
	c.hash = c.baseHash
	if len(c.added)+len(c.terms) == 0 {
		return
	}
	rows := Snapshot{Version: formatVersion, Source: c.baseHash, Models: c.added}
	encoded := rows.Encode()
	if len(c.terms) > 0 {
		encoded = append(encoded, encode(c.terms)...)
	}
	c.hash = hashOf(encoded)
}

// complete fills what an override leaves out from the model it replaces.
func (c *Catalogue) complete(m Model) Model {
	s := c.base[place{m.Provider, m.Region}]
	if s == nil || s.byID[m.ID] == nil {
		return m
	}
	old := s.byID[m.ID]
	if m.Match.empty() {
		m.Match = old.Match
	}
	if m.ContextWindow == 0 {
		m.ContextWindow = old.ContextWindow
	}
	if m.MaxOutput == 0 {
		m.MaxOutput = old.MaxOutput
	}
	if m.Tokenizer == "" {
		m.Tokenizer = old.Tokenizer
	}
	return m
}

// Providers lists the providers the catalogue has models or a ceiling of, sorted.
func (c *Catalogue) Providers() []string {
	var ps []string
	for p := range c.fallback {
		ps = append(ps, p)
	}
	for at := range c.overrides {
		ps = append(ps, at.provider)
	}
	slices.Sort(ps)
	return slices.Compact(ps)
}

// Regions lists the regions that a provider's models have prices of their own in.
func (c *Catalogue) Regions(provider string) []string {
	var rs []string
	for _, shelves := range []map[place]*shelf{c.base, c.overrides} {
		for at := range shelves {
			if at.provider == provider && at.region != "" {
				rs = append(rs, at.region)
			}
		}
	}
	slices.Sort(rs)
	return slices.Compact(rs)
}

// All is every model with its rows, ceilings included: of those that an
// operator's replace, his. The order is by provider, region and name.
func (c *Catalogue) All() []Model {
	var all []Model
	for _, shelves := range []map[place]*shelf{c.base, c.overrides} {
		for at, s := range shelves {
			over := c.overrides[at]
			for id, m := range s.byID {
				if over == nil || over == s || over.byID[id] == nil {
					all = append(all, m.Model)
				}
			}
			if s.ceiling != nil {
				all = append(all, s.ceiling.Model)
			}
		}
	}
	slices.SortFunc(all, func(a, b Model) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Region, b.Region), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// Models lists the models of a provider by the catalogue's names, sorted: what
// it sells by name, without those it sells at another provider's price, and
// without names that only stand for a family.
func (c *Catalogue) Models(provider string) []string {
	var ids []string
	for _, shelves := range []map[place]*shelf{c.overrides, c.base} {
		for at, s := range shelves {
			if at.provider != provider {
				continue
			}
			for _, id := range s.ids {
				if m := s.find(lower(id)); m != nil && m.ID == id {
					ids = append(ids, id)
				}
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
