package price

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// maxThreshold is the largest long-context threshold, in tokens.
const maxThreshold = 1 << 40

// setPrices fills r's bands from the rows of one span of time, resolving what
// they leave out as the package comment says.
func (r *Rate) setPrices(rows []*Row) error {
	var own [numTiers][]band
	for _, row := range rows {
		t, ok := ParseTier(cmp.Or(row.Tier, "standard"))
		if !ok || t == Auto {
			return fmt.Errorf("tier %q is not one that has prices", row.Tier)
		}
		if row.ContextFrom < 0 || row.ContextFrom > maxThreshold {
			return fmt.Errorf("context_from %d is not 0 to %d", row.ContextFrom, int64(maxThreshold))
		}
		b, listed, err := readBand(row)
		if err != nil {
			return err
		}
		if t == Standard && row.ContextFrom == 0 {
			r.prices = listed
		}
		own[t] = append(own[t], b)
	}
	for t := range own {
		slices.SortFunc(own[t], func(a, b band) int { return cmp.Compare(a.from, b.from) })
		for i := range own[t] {
			if i > 0 && own[t][i].from == own[t][i-1].from {
				return fmt.Errorf("tier %s has two rows from context %d", Tier(t), own[t][i].from)
			}
		}
		if len(own[t]) > 0 && own[t][0].from != 0 {
			return fmt.Errorf("tier %s has no row from context 0", Tier(t))
		}
	}
	if len(own[Standard]) == 0 {
		return errors.New("there is no row for the standard tier")
	}
	first := own[Standard][0].unit
	for t := range own {
		for i := range own[t] {
			shareCalls(&own[t][i].unit, &first)
		}
	}
	for t := range own {
		r.listed[t] = len(own[t]) > 0
		r.tiers[t] = own[Standard]
		if r.listed[t] {
			r.tiers[t] = raise(own[t], own[Standard])
		}
		for i := range r.tiers[t] {
			r.tiers[t][i].setText()
		}
	}
	return nil
}

func (b *band) setText() { b.text.in, b.text.out = b.dearest(Text&Input), b.dearest(Text&Output) }

// missing marks a price that a row leaves out, until it is resolved.
const missing = -1

// readBand reads a row's prices and fills its token meters. Calls that it
// leaves out stay missing.
func readBand(row *Row) (b band, listed Set, err error) {
	b.from = row.ContextFrom
	for m := range b.unit {
		b.unit[m] = missing
	}
	for name, price := range row.Prices {
		m, ok := ParseMeter(name)
		if !ok {
			return b, 0, fmt.Errorf("%q is not a meter", name)
		}
		if price < 0 || price > maxUnit {
			return b, 0, fmt.Errorf("%s price %d is not 0 to %d pico-dollars", name, price, int64(maxUnit))
		}
		b.unit[m] = price
		listed |= Meters(m)
	}
	if !listed.Has(InputText) {
		return b, 0, errors.New("a row has no price for input")
	}
	fillTokens(&b.unit)
	return b, listed, nil
}

// fillTokens resolves the token meters that u leaves out. Input is there.
func fillTokens(u *[NumMeters]int64) {
	or := func(m Meter, price int64) {
		if u[m] == missing {
			u[m] = price
		}
	}
	in := u[InputText]
	or(CacheRead, in)
	if u[CacheWriteOther] == missing {
		// Of the lifetimes that are priced, it may have been any.
		u[CacheWriteOther] = max(u[CacheWrite5m], u[CacheWrite30m], u[CacheWrite1h], u[CacheWrite12h])
		or(CacheWriteOther, in)
	} else {
		or(CacheWrite5m, u[CacheWriteOther])
	}
	or(CacheWrite5m, in)
	or(CacheWrite30m, max(u[CacheWrite5m], u[CacheWriteOther]))
	or(CacheWrite1h, u[CacheWrite30m])
	or(CacheWrite12h, u[CacheWrite1h])
	or(AudioIn, in)
	or(ImageIn, in)
	or(OutputText, in)
	out := u[OutputText]
	or(OutputReasoning, out)
	or(AudioOut, out)
	or(ImageOut, out)
}

// shareCalls resolves the calls that u leaves out by those of the standard
// tier's first band, and what that leaves out too as free.
func shareCalls(u, first *[NumMeters]int64) {
	for m := range u {
		if u[m] == missing {
			u[m] = max(first[m], 0)
		}
	}
}

// raise gives a tier the thresholds of the standard tier that it lacks: from
// there it costs the dearer of the two.
func raise(own, standard []band) []band {
	var out []band
	for _, from := range thresholds(own, standard) {
		o, s := last(own, from), last(standard, from)
		b := band{from: from, unit: o.unit}
		if s.from > o.from {
			for m := range b.unit {
				b.unit[m] = max(b.unit[m], s.unit[m])
			}
		}
		out = append(out, b)
	}
	return out
}

func thresholds(lists ...[]band) []int64 {
	var froms []int64
	for _, l := range lists {
		for _, b := range l {
			froms = append(froms, b.from)
		}
	}
	slices.Sort(froms)
	return slices.Compact(froms)
}

func last(bands []band, from int64) *band {
	i := len(bands) - 1
	for bands[i].from > from {
		i--
	}
	return &bands[i]
}
