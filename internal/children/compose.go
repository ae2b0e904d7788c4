package children

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"purser/childkey"
	"purser/ledger"
	"purser/proxy"
)

// MaxLife is the longest a child without a slice may live; one with a slice, a day
// (directory.MaxChildLife).
const MaxLife = 31 * ledger.Day

// Compose is what a child may do of what its parent may do: the parent's rights,
// less what each block of the token takes away. An error is a block that contradicts
// what the parent is bound to, or would take what no child may choose.
func Compose(parent *proxy.Principal, t *childkey.Token) (*proxy.Principal, error) {
	if slices.ContainsFunc(parent.Bound.Tags, func(t ledger.Tag) bool { return strings.HasPrefix(t.Name, Tags) }) {
		return nil, errReserved
	}
	p := *parent
	// The lists are shared between all children of the parent: appending must copy.
	p.Models, p.Endpoints, p.Providers = slices.Clip(p.Models), slices.Clip(p.Endpoints), slices.Clip(p.Providers)
	p.Bound.Tags = slices.Clone(p.Bound.Tags)
	for i := range t.Blocks {
		b := &t.Blocks[i]
		if end := ledger.Instant(b.Expires) * ledger.Second; p.Expires == 0 || end < p.Expires {
			p.Expires = end
		}
		p.Models = with(p.Models, b.Models)
		p.Endpoints = with(p.Endpoints, b.Endpoints)
		p.Providers = with(p.Providers, b.Providers)
		for _, name := range slices.Sorted(maps.Keys(b.Bind)) {
			if err := bind(&p.Bound, name, b.Bind[name]); err != nil {
				return nil, fmt.Errorf("generation %d: %w", i+1, err)
			}
		}
		p.Bound.Tags = append(p.Bound.Tags, ledger.Tag{Name: childTag + digit(uint8(i+1)), Value: Name(b.ID)})
		p.Child = Name(b.ID)
	}
	for _, s := range slicesOf(t) {
		p.Bound.Tags = append(p.Bound.Tags, ledger.Tag{Name: sliceTag + digit(s.Generation), Value: s.class()})
	}
	if len(p.Bound.Tags) > ledger.MaxTags {
		return nil, fmt.Errorf("with what the gateway sets it binds %d tags, the most is %d", len(p.Bound.Tags), ledger.MaxTags)
	}
	slices.SortFunc(p.Bound.Tags, func(a, b ledger.Tag) int { return strings.Compare(a.Name, b.Name) })
	return &p, nil
}

func with(a proxy.Allow, list []string) proxy.Allow {
	if len(list) == 0 {
		return a
	}
	return append(slices.Clip(a), list)
}

var (
	errFact     = errors.New("the key, the model and the provider are facts of each request and cannot be bound")
	errReserved = fmt.Errorf("tags whose names begin with %s are set by the gateway alone", Tags)
	errOrg      = errors.New("a child cannot choose its organisation: caches and stored answers are the organisation's")
	errBound    = errors.New("its parent is bound to another value")
)

// bind fixes one dimension. What the parent is bound to stays.
func bind(d *ledger.Dimensions, name, value string) error {
	ref, err := ledger.ParseDimRef(name)
	if err != nil {
		return err
	}
	was := d.Get(ref)
	switch {
	case ref.Dim == ledger.DimKey || ref.Dim == ledger.DimModel || ref.Dim == ledger.DimProvider:
		return errFact
	case proxy.Reserved(ref):
		return errReserved
	case was == value:
		return nil
	case was != "":
		return fmt.Errorf("%s: %w", ref, errBound)
	case ref.Dim == ledger.DimOrg:
		return errOrg
	case ref.Dim == ledger.DimTag:
		d.Tags = append(d.Tags, ledger.Tag{Name: ref.Tag, Value: value})
	default:
		d.Values[ref.Dim] = value
	}
	return nil
}
