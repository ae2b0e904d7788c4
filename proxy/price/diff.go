package price

import (
	"cmp"
	"maps"
	"slices"
)

// Change is one list price that two catalogues have differently.
type Change struct {
	Provider, Region, Model         string
	Tier, From, Until, Daily, Meter string // as in [Row]
	ContextFrom                     int64
	Old, New                        int64 // pico-dollars for one; [NoPrice] where there is none
}

// NoPrice is the price of a meter that a row leaves out.
const NoPrice = -1

// Diff lists the prices that differ between two catalogues as their rows have
// them, in order. Discounts and limits are not prices, and not in it.
func Diff(before, after *Catalogue) []Change {
	olds, news := before.listed(), after.listed()
	var list []Change
	for at, price := range olds {
		c := at
		c.Old, c.New = price, NoPrice
		if now, ok := news[at]; ok {
			c.New = now
		}
		if c.Old != c.New {
			list = append(list, c)
		}
	}
	for at, price := range news {
		if _, ok := olds[at]; !ok {
			at.Old, at.New = NoPrice, price
			list = append(list, at)
		}
	}
	slices.SortFunc(list, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Region, b.Region), cmp.Compare(a.Model, b.Model),
			cmp.Compare(a.From, b.From), cmp.Compare(a.Until, b.Until), cmp.Compare(a.Daily, b.Daily),
			cmp.Compare(a.Tier, b.Tier), cmp.Compare(a.ContextFrom, b.ContextFrom), cmp.Compare(a.Meter, b.Meter))
	})
	return list
}

// listed is every price by its place.
func (c *Catalogue) listed() map[Change]int64 {
	all := map[Change]int64{}
	for _, m := range c.All() {
		for i := range m.Rates {
			r := &m.Rates[i]
			for _, meter := range slices.Sorted(maps.Keys(r.Prices)) {
				all[Change{
					Provider: m.Provider, Region: m.Region, Model: m.ID, Tier: r.Tier, From: r.From, Until: r.Until, Daily: r.Daily,
					ContextFrom: r.ContextFrom, Meter: meter,
				}] = r.Prices[meter]
			}
		}
	}
	return all
}
