package vault

import (
	"cmp"
	"math"
	"path"
	"slices"
	"strings"

	"purser/ledger"
)

// Selection says which credentials an upstream is asked with: those it names, or
// those whose ids fit a pattern. Of either, only those of its provider.
type Selection struct {
	Provider string
	IDs      []string
	Pattern  string // as path.Match has it; "" with IDs
}

func (s *Selection) takes(c *Credential) bool {
	if c.Provider != s.Provider || c.Disabled {
		return false
	}
	if s.Pattern == "" {
		return slices.Contains(s.IDs, c.ID)
	}
	ok, err := path.Match(s.Pattern, c.ID)
	return ok && err == nil
}

// Pool is the credentials of one upstream, in the form in which a request's are
// found without looking at all. It is immutable.
type Pool struct {
	shapes []shape // those of more dimensions first
}

// shape is the credentials that are for values of the same dimensions.
type shape struct {
	refs    []ledger.DimRef
	byValue map[string][]*Credential // by the values of refs, each followed by a zero byte
}

// NewPool takes what the selection is of list, whose credentials it keeps.
func NewPool(list []*Credential, s Selection) *Pool {
	p := &Pool{}
	index := map[string]int{}
	for _, c := range list {
		if !s.takes(c) {
			continue
		}
		refs, names, values := matchOf(c)
		i, ok := index[names]
		if !ok {
			i = len(p.shapes)
			index[names] = i
			p.shapes = append(p.shapes, shape{refs, map[string][]*Credential{}})
		}
		p.shapes[i].byValue[values] = append(p.shapes[i].byValue[values], c)
	}
	slices.SortStableFunc(p.shapes, func(a, b shape) int { return cmp.Compare(len(b.refs), len(a.refs)) })
	return p
}

// matchOf is the match of a credential: its dimensions in order of their names,
// those names as one text, and their values as one.
func matchOf(c *Credential) (refs []ledger.DimRef, names, values string) {
	for name := range c.Match {
		if ref, err := ledger.ParseDimRef(name); err == nil { // Validate has seen to that
			refs = append(refs, ref)
		}
	}
	slices.SortFunc(refs, func(a, b ledger.DimRef) int { return strings.Compare(a.String(), b.String()) })
	for _, ref := range refs {
		names += ref.String() + "\x00"
		values += c.Match[ref.String()] + "\x00"
	}
	return refs, names, values
}

// Order gives the ids of the credentials that a request of these dimensions may be
// sent with at an instant, the one to try first at the front: drawn by weight, by lot.
// With chance as the lot, they share the requests. Requests of one lot have one order
// on every node, and one that comes or goes changes nothing among the others
// (rendezvous hashing). Those that match more dimensions stand before all others and
// alone: a customer with a key of its own is not served with another's, also when that
// has expired.
func (p *Pool) Order(d *ledger.Dimensions, at ledger.Instant, lot uint64) []string {
	var fit []*Credential
	for i, s := range p.shapes {
		if len(fit) > 0 && len(s.refs) < len(p.shapes[i-1].refs) {
			break
		}
		if values, ok := s.valuesOf(d); ok {
			fit = append(fit, s.byValue[values]...)
		}
	}
	fit = slices.DeleteFunc(fit, func(c *Credential) bool { return c.Expired(at) })
	return draw(fit, lot)
}

func (s *shape) valuesOf(d *ledger.Dimensions) (values string, ok bool) {
	for _, ref := range s.refs {
		v := d.Get(ref)
		if v == "" {
			return "", false
		}
		values += v + "\x00"
	}
	return values, true
}

// draw orders by weight: each gets a time from an exponential distribution of its
// weight as the rate, and the earliest is first. That is the same as drawing each place
// among those that are left with a chance of its weight in theirs; and each one's time
// follows from its id and the lot alone.
func draw(list []*Credential, lot uint64) []string {
	type runner struct {
		id string
		at float64
	}
	race := make([]runner, len(list))
	for i, c := range list {
		race[i] = runner{c.ID, -math.Log(fraction(lot, c.ID)) / float64(max(c.Weight, 1))}
	}
	slices.SortFunc(race, func(a, b runner) int { return cmp.Or(cmp.Compare(a.at, b.at), strings.Compare(a.id, b.id)) })
	ids := make([]string, len(race))
	for i, r := range race {
		ids[i] = r.id
	}
	return ids
}

// fraction is a number above 0 and up to 1 that follows from both and looks like
// chance: FNV-1a, then the finalizer of MurmurHash3, which spreads every bit.
func fraction(lot uint64, id string) float64 {
	const offset, prime = 14695981039346656037, 1099511628211
	x := uint64(offset)
	for range 8 {
		x = (x ^ lot&0xff) * prime
		lot >>= 8
	}
	for i := range len(id) {
		x = (x ^ uint64(id[i])) * prime
	}
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return (float64(x>>11) + 1) / (1 << 53)
}
