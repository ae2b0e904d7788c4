package price

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"purser/ledger"
)

// Discount is what a contract takes off the list prices of one provider. The
// provider is the one that bills the call: of a model that another provider
// sells at this one's price, it takes nothing off.
type Discount struct {
	Provider string   `json:"provider"`
	Region   string   `json:"region,omitempty"` // only of calls asked for in it; "" is any
	Match    Match    `json:"match,omitzero"`   // of the name asked for, or of the catalogue's; none is every model
	Meters   []string `json:"meters,omitempty"` // by name; none is every meter
	Percent  string   `json:"percent_off"`      // above 0 to 100, with at most four decimals
	From     string   `json:"from,omitempty"`   // first day, UTC; "" is always
	Until    string   `json:"until,omitempty"`  // first day after
}

const (
	// maxDiscounts is how many a catalogue takes: a set of them is one word.
	maxDiscounts = 64
	// wholePrice is a price with nothing taken off, in millionths.
	wholePrice = 1_000_000
	// maxScaled bounds a contracted price of one unit in its fraction of a
	// pico-dollar: with counts below 2^63, no sum over all meters leaves 128 bits.
	maxScaled = 1 << 60
)

// discount is a [Discount] made ready.
type discount struct {
	names       *model // what it covers, nil for every model
	meters      Set
	keep        int64 // millionths of the list price; then numerator over the catalogue's scale
	from, until ledger.Instant
}

// WithDiscounts returns the catalogue with these discounts and no others. Find
// then returns contracted rates: for each meter the first discount that covers
// the call counts, they do not add up. What they do not touch is a list rate,
// and so is an operator's ceiling.
func (c *Catalogue) WithDiscounts(list []Discount) (*Catalogue, error) {
	d := c.copied()
	d.terms, d.discounts = slices.Clone(list), nil
	if len(list) > maxDiscounts {
		return nil, fmt.Errorf("%d discounts are more than %d", len(list), maxDiscounts)
	}
	for i := range list {
		one, err := readDiscount(&list[i])
		if err != nil {
			return nil, fmt.Errorf("discount %d (%s): %w", i+1, list[i].Provider, err)
		}
		d.discounts = append(d.discounts, one)
	}
	d.setScale()
	if err := d.fits(); err != nil {
		return nil, err
	}
	d.seal()
	return d, nil
}

// Discounts are those of [Catalogue.WithDiscounts], in their order.
func (c *Catalogue) Discounts() []Discount { return slices.Clone(c.terms) }

func readDiscount(in *Discount) (d discount, err error) {
	if in.Provider == "" {
		return d, errors.New("names no provider")
	}
	off, exact, err := Decimal(in.Percent, 4)
	switch {
	case err != nil:
		return d, fmt.Errorf("percent_off: %w", err)
	case !exact || off < 1 || off > wholePrice:
		return d, fmt.Errorf("percent_off %s is not above 0 to 100 with at most four decimals", in.Percent)
	}
	d.keep, d.meters = wholePrice-off, every
	if len(in.Meters) > 0 {
		d.meters = 0
	}
	for _, name := range in.Meters {
		m, ok := ParseMeter(name)
		if !ok {
			return d, fmt.Errorf("%q is not a meter", name)
		}
		d.meters |= Meters(m)
	}
	if !in.Match.empty() || len(in.Match.Except) > 0 {
		d.names = &model{Model: Model{ID: in.Provider, Match: in.Match}}
		if in.Match.empty() {
			return d, errors.New("match has exceptions, and nothing that they are from")
		}
		if err := d.names.compileMatch(); err != nil {
			return d, err
		}
	}
	return d, d.readDays(in)
}

func (d *discount) readDays(in *Discount) (err error) {
	d.from, d.until = -1<<63, ledger.MaxInstant
	if in.From != "" {
		if d.from, err = parseDate(in.From); err != nil {
			return err
		}
	}
	if in.Until != "" {
		if d.until, err = parseDate(in.Until); err != nil {
			return err
		}
	}
	if d.until <= d.from {
		return fmt.Errorf("it ends on %s, before it begins", in.Until)
	}
	return nil
}

// setScale finds the fraction of a pico-dollar in which every contracted price
// is whole, and writes the discounts as numerators over it.
func (c *Catalogue) setScale() {
	c.scale = 1
	for _, d := range c.discounts {
		own := wholePrice / gcd(wholePrice, d.keep)
		c.scale = c.scale / gcd(c.scale, own) * own
	}
	for i := range c.discounts {
		c.discounts[i].keep = c.discounts[i].keep * c.scale / wholePrice
	}
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// fits refuses discounts so fine that a dear price cannot be written exactly.
func (c *Catalogue) fits() error {
	if len(c.discounts) == 0 || c.scale <= maxScaled/maxUnit {
		return nil
	}
	for _, shelves := range []map[place]*shelf{c.base, c.overrides} {
		for _, s := range shelves {
			for _, m := range s.byID {
				if dearest := m.dearest(); dearest > maxScaled/c.scale {
					return fmt.Errorf("discounts in steps of 1/%d cannot be taken exactly off %s/%s, where one unit costs %d pico-dollars: give percent_off fewer decimals", c.scale, m.Provider, m.ID, dearest)
				}
			}
		}
	}
	return nil
}

func (m *model) dearest() (p int64) {
	for i := range m.Rates {
		for _, price := range m.Rates[i].Prices {
			p = max(p, price)
		}
	}
	return p
}

// covers tells whether the discount may apply to a question at some time.
func (d *discount) covers(terms *Discount, q question, name string, m *model) bool {
	if terms.Provider != q.provider || terms.Region != "" && terms.Region != q.region {
		return false
	}
	return d.names == nil || d.names.answers(name) || d.names.answers(lower(m.ID))
}

// answers tells whether a name in lower case is one of m's.
func (m *model) answers(name string) bool {
	return slices.Contains(m.names, name) || m.patterns() && m.matches(name)
}

// agreed names what a contracted model is made of.
type agreed struct {
	of    *model
	which uint64 // discounts, by position
}

// contracted is m with the discounts that cover the question. Equal answers are
// one model, so that names which callers make up cost no memory.
func (c *Catalogue) contracted(q question, name string, m *model) *model {
	if m == nil {
		return nil
	}
	var which uint64
	for i := range c.discounts {
		if c.discounts[i].covers(&c.terms[i], q, name, m) {
			which |= 1 << i
		}
	}
	if which == 0 {
		return m
	}
	c.memoMu.Lock()
	defer c.memoMu.Unlock()
	key := agreed{m, which}
	if known := c.agreed[key]; known != nil {
		return known
	}
	made := c.apply(m, which)
	if len(c.agreed) < maxMemo {
		c.agreed[key] = made
	}
	return made
}

// apply takes discounts off a model's rates, in pieces of time in which the same
// ones are in force.
func (c *Catalogue) apply(m *model, which uint64) *model {
	out := &model{Model: m.Model}
	for i := range m.versions {
		v := &m.versions[i]
		cuts := []ledger.Instant{v.from}
		for j, d := range c.discounts {
			for _, at := range [2]ledger.Instant{d.from, d.until} {
				if which&(1<<j) != 0 && v.from < at && at < v.until {
					cuts = append(cuts, at)
				}
			}
		}
		slices.Sort(cuts)
		cuts = slices.Compact(cuts)
		for j, from := range cuts {
			until := v.until
			if j+1 < len(cuts) {
				until = cuts[j+1]
			}
			out.versions = append(out.versions, c.piece(v, from, until, which))
		}
	}
	return out
}

// piece is a version of a model's rates for a span within it, over the whole of
// which the same discounts are in force.
func (c *Catalogue) piece(v *version, from, until ledger.Instant, which uint64) version {
	var keep [NumMeters]int64
	for m := range keep {
		keep[m] = c.scale
	}
	var taken Set
	mark := ""
	for i := range c.discounts {
		d := &c.discounts[i]
		own := d.meters &^ taken
		if which&(1<<i) == 0 || from < d.from || from >= d.until || own == 0 {
			continue
		}
		for m := range keep {
			if own.Has(Meter(m)) {
				keep[m] = d.keep
			}
		}
		taken |= own
		if mark += ","; len(mark) == 1 {
			mark = "%"
		}
		mark += strconv.Itoa(i + 1)
	}
	out := version{from: from, until: until, daily: v.daily, allDay: v.allDay}
	if taken == 0 {
		return out
	}
	out.allDay = v.allDay.contracted(&keep, c.scale, mark, from, until)
	out.daily = nil
	for _, r := range v.daily {
		out.daily = append(out.daily, r.contracted(&keep, c.scale, mark, from, until))
	}
	out.introduce()
	return out
}

// contracted is r with keep over scale of each meter's price.
func (r *Rate) contracted(keep *[NumMeters]int64, scale int64, mark string, from, until ledger.Instant) *Rate {
	k := *r
	k.ID, k.From, k.Until = r.ID+mark, from, until
	k.list, k.scale, k.peers = r, scale, nil
	for t := range k.tiers {
		k.tiers[t] = slices.Clone(r.tiers[t])
		for i := range k.tiers[t] {
			b := &k.tiers[t][i]
			for m := range b.unit {
				b.unit[m] *= keep[m]
			}
			b.setText()
		}
	}
	return &k
}

// List is the rate before a contract's discounts: r itself where none applies.
func (r *Rate) List() *Rate {
	if r.list == nil {
		return r
	}
	return r.list
}
