package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"slices"

	"github.com/goccy/go-yaml"

	"purser/proxy/price"
)

// overlayFile is what the source does not have: service tiers, regions, limits.
type overlayFile struct {
	Entries []overlayEntry `yaml:"entries"`
}

// overlayEntry adds to some models of one provider. What it names must be in
// the source, so that an overlay that has gone stale fails.
type overlayEntry struct {
	Provider      string                 `yaml:"provider"`
	Models        []string               `yaml:"models"`
	Split         string                 `yaml:"split"`          // take Names out of this model, and make the one in Models of them
	Names         []string               `yaml:"names"`          // with Split
	ContextWindow int64                  `yaml:"context_window"` // tokens
	MaxOutput     int64                  `yaml:"max_output"`     // tokens
	Tokenizer     string                 `yaml:"tokenizer"`
	Prices        map[string]string      `yaml:"prices"`  // dollars for a million tokens or one call, in every row
	Tiers         map[string]overlayTier `yaml:"tiers"`   // by tier
	Regions       map[string]string      `yaml:"regions"` // factor on tokens, by region
	Source        string                 `yaml:"source"`
}

// overlayTier is a tier's prices: a factor on the standard tier's first band,
// or dollars for a million tokens.
type overlayTier struct {
	Times  string            `yaml:"times"`
	Prices map[string]string `yaml:"prices"`
}

func (o *overlayFile) read(data []byte) error {
	err := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(o)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func applyOverlay(s *price.Snapshot, data []byte, rep *report) error {
	var o overlayFile
	if err := o.read(data); err != nil {
		return err
	}
	for i := range o.Entries {
		e := &o.Entries[i]
		if e.Source == "" {
			return fmt.Errorf("entry %d: no source", i+1)
		}
		for _, id := range e.Models {
			if err := e.apply(s, id, rep); err != nil {
				return fmt.Errorf("entry %d: %s/%s: %w", i+1, e.Provider, id, err)
			}
		}
	}
	return nil
}

func find(s *price.Snapshot, provider, id string) (int, error) {
	i := slices.IndexFunc(s.Models, func(m price.Model) bool {
		return m.Provider == provider && m.ID == id && m.Region == ""
	})
	if i < 0 {
		return 0, fmt.Errorf("there is no model %q", id)
	}
	return i, nil
}

func (e *overlayEntry) apply(s *price.Snapshot, id string, rep *report) error {
	if e.Split != "" {
		if err := e.split(s, id); err != nil {
			return err
		}
	}
	i, err := find(s, e.Provider, id)
	if err != nil {
		return err
	}
	m := &s.Models[i]
	if m.Source != "" && m.Source != e.Source {
		m.Source += "; " + e.Source
	} else {
		m.Source = e.Source
	}
	set(&m.ContextWindow, e.ContextWindow)
	set(&m.MaxOutput, e.MaxOutput)
	if e.Tokenizer != "" {
		m.Tokenizer = e.Tokenizer
	}
	for j := range m.Rates {
		if err := readPrices(m.Rates[j].Prices, e.Prices); err != nil {
			return err
		}
	}
	if err := e.addTiers(m, rep); err != nil {
		return err
	}
	for n, region := range slices.Sorted(maps.Keys(e.Regions)) {
		r, err := e.regional(&s.Models[i], region, rep)
		if err != nil {
			return err
		}
		s.Models = slices.Insert(s.Models, i+1+n, r)
	}
	return nil
}

func set(to *int64, n int64) {
	if n != 0 {
		*to = n
	}
}

// split makes a model of some names of another, with the same rates.
func (e *overlayEntry) split(s *price.Snapshot, id string) error {
	i, err := find(s, e.Provider, e.Split)
	if err != nil {
		return err
	}
	from := &s.Models[i]
	own := *from
	own.ID = id
	own.Match = price.Match{Equals: slices.Sorted(slices.Values(e.Names))}
	own.Rates = nil
	for _, r := range from.Rates {
		r.Prices = maps.Clone(r.Prices)
		own.Rates = append(own.Rates, r)
	}
	for _, name := range e.Names {
		at := slices.Index(from.Match.Equals, name)
		if at < 0 {
			return fmt.Errorf("%q is not a name of %q", name, e.Split)
		}
		from.Match.Equals = slices.Delete(slices.Clone(from.Match.Equals), at, at+1)
	}
	s.Models = slices.Insert(s.Models, i+1, own)
	return nil
}

// readPrices adds prices in dollars: for a million tokens, or for one call.
func readPrices(to map[string]int64, from map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(from)) {
		m, ok := price.ParseMeter(name)
		if !ok {
			return fmt.Errorf("%q is not a meter", name)
		}
		shift := price.PerMillion
		if m.PerCall() {
			shift = price.PerOne
		}
		n, exact, err := price.Decimal(from[name], shift)
		if err != nil || !exact {
			return fmt.Errorf("price %q of %s is not a whole number of pico-dollars", from[name], name)
		}
		to[name] = n
	}
	return nil
}

// addTiers puts the tiers' rows behind each of the standard rows from context 0.
func (e *overlayEntry) addTiers(m *price.Model, rep *report) error {
	var rows []price.Row
	for _, std := range m.Rates {
		rows = append(rows, std)
		if std.ContextFrom != 0 || std.Tier != "" {
			continue
		}
		for _, tier := range slices.Sorted(maps.Keys(e.Tiers)) {
			row := price.Row{Tier: tier, From: std.From, Until: std.Until, Daily: std.Daily, Prices: map[string]int64{}}
			if t := e.Tiers[tier]; t.Times != "" {
				if err := scale(row.Prices, std.Prices, t.Times, m.Provider+"/"+m.ID+" "+tier, rep); err != nil {
					return err
				}
			}
			if err := readPrices(row.Prices, e.Tiers[tier].Prices); err != nil {
				return err
			}
			rows = append(rows, row)
		}
	}
	m.Rates = rows
	return nil
}

// scale multiplies the prices of tokens.
func scale(to, from map[string]int64, factor, about string, rep *report) error {
	f, ok := new(big.Rat).SetString(factor)
	if !ok || f.Sign() <= 0 {
		return fmt.Errorf("factor %q is not a number above 0", factor)
	}
	for name, n := range from {
		if m, _ := price.ParseMeter(name); m.PerCall() {
			continue
		}
		product := new(big.Rat).Mul(f, new(big.Rat).SetInt64(n))
		q, rest := new(big.Int).DivMod(product.Num(), product.Denom(), new(big.Int))
		to[name] = q.Int64()
		if rest.Sign() != 0 {
			to[name]++
			rep.note("rounded up to a pico-dollar", about+" "+name)
		}
	}
	return nil
}

// regional is the model as a region sells it.
func (e *overlayEntry) regional(m *price.Model, region string, rep *report) (price.Model, error) {
	r := *m
	r.Region = region
	r.Rates = nil
	for _, row := range m.Rates {
		own := row
		own.Prices = maps.Clone(row.Prices)
		if err := scale(own.Prices, row.Prices, e.Regions[region], m.Provider+":"+region+"/"+m.ID, rep); err != nil {
			return r, err
		}
		r.Rates = append(r.Rates, own)
	}
	return r, nil
}
