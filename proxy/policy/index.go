package policy

import (
	"slices"

	"purser/ledger"
)

// index finds the policies that may match a request without looking at all of them:
// each is filed under the values of one of its dimensions.
type index struct {
	always []int32 // policies that match every request, ascending
	dims   []ledger.DimRef
	by     []map[string][]int32 // the same for the values of each of dims
}

func newIndex(list []compiled) (x index) {
	at := map[ledger.DimRef]int{}
	for i := range list {
		d, ok := filed(&list[i])
		if !ok {
			x.always = append(x.always, int32(i))
			continue
		}
		n, known := at[d.dim]
		if !known {
			n = len(x.dims)
			at[d.dim] = n
			x.dims, x.by = append(x.dims, d.dim), append(x.by, map[string][]int32{})
		}
		for _, v := range d.values {
			if l := x.by[n][v]; len(l) == 0 || l[len(l)-1] != int32(i) {
				x.by[n][v] = append(l, int32(i))
			}
		}
	}
	return x
}

// filed is the condition that tells most: that of the key, else the first.
func filed(p *compiled) (dimValues, bool) {
	for _, d := range p.match {
		if d.dim.Dim == ledger.DimKey {
			return d, true
		}
	}
	if len(p.match) == 0 {
		return dimValues{}, false
	}
	return p.match[0], true
}

// matching appends the policies that match, ascending, to found.
func (s *Set) matching(d *ledger.Dimensions, found []int32) []int32 {
	found = append(found, s.index.always...)
	for n, dim := range s.index.dims {
		for _, i := range s.index.by[n][d.Get(dim)] {
			if s.policies[i].matches(d) {
				found = append(found, i)
			}
		}
	}
	slices.Sort(found)
	return found
}

func (p *compiled) matches(d *ledger.Dimensions) bool {
	for _, m := range p.match {
		if !slices.Contains(m.values, d.Get(m.dim)) {
			return false
		}
	}
	return true
}
