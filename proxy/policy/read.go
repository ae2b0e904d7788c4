package policy

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"unicode/utf8"

	"purser/ledger"
)

// condition makes the tests of a condition. Each fault begins with the field's name.
func (c *compiler) condition(s *Condition) (list condition, err error) {
	var errs []error
	add := func(field string, t test, err error) {
		for _, e := range Apart(err) {
			errs = append(errs, fmt.Errorf("%s: %w", field, e))
		}
		list = append(list, t)
	}
	text := func(field, what string, from []string, fact func(*Input) string) {
		if from != nil {
			p, err := newPatterns(from)
			add(field, &textTest{what, p, fact}, err)
		}
	}
	if s.Stream != nil {
		add("stream", streamTest(*s.Stream), nil)
	}
	text("endpoints", "endpoint", s.Endpoints, endpointOf)
	text("dialects", "dialect", s.Dialects, dialectOf)
	text("providers", "provider", s.Providers, providerOf)
	text("upstreams", "upstream", s.Upstreams, upstreamOf)
	if s.Models != nil {
		p, err := newPatterns(s.Models)
		add("models", modelTest(p), err)
	}
	if s.Regions != nil {
		p, err := newPatterns(s.Regions)
		add("regions", regionTest(p), err)
	}
	if s.Addresses != nil {
		t, err := newAddresses(s.Addresses)
		add("addresses", t, err)
	}
	if s.Missing != nil {
		t, err := newMissing(s.Missing)
		add("missing", t, err)
	}
	if len(s.Dims) > MaxConditions {
		errs = append(errs, fmt.Errorf("dims: there are %d, more than %d", len(s.Dims), MaxConditions))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Dims)) {
		t, err := newDim(name, s.Dims[name])
		add("dims", t, err)
	}
	if s.Times != nil {
		t, err := newTimes(s.Times)
		add("times", t, err)
	}
	if s.Over != nil {
		t, err := newOver(s.Over)
		add("over", t, err)
		c.sampling = c.sampling || s.Over.Temperature != nil || s.Over.TopP != nil
	}
	if s.CEL != "" {
		e, err := newExpression(c.env, s.CEL)
		add("cel", e, err)
		c.sampling = c.sampling || err == nil && e.sampling
	}
	if len(list) == 0 {
		errs = append(errs, errors.New("condition: says nothing; leave it out, or say what it is"))
	}
	return list, errors.Join(errs...)
}

func newPatterns(list []string) ([]pattern, error) {
	if err := checkList(len(list)); err != nil {
		return nil, err
	}
	out := make([]pattern, 0, len(list))
	for i, s := range list {
		if s == "" || len(s) > MaxPattern || !utf8.ValidString(s) {
			return nil, fmt.Errorf("[%d] is empty, longer than %d bytes or not UTF-8", i, MaxPattern)
		}
		out = append(out, newPattern(s))
	}
	return out, nil
}

func newAddresses(list []string) (addressTest, error) {
	if err := checkList(len(list)); err != nil {
		return nil, err
	}
	var out []netip.Prefix
	for i, s := range list {
		p, err := ParseRange(Clip(s))
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
		out = append(out, p)
	}
	return out, nil
}

func newMissing(list []string) (missingTest, error) {
	if err := checkList(len(list)); err != nil {
		return nil, err
	}
	var out []ledger.DimRef
	for i, s := range list {
		d, err := ledger.ParseDimRef(s)
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
		out = append(out, d)
	}
	return out, nil
}

func newDim(name string, values []string) (*dimTest, error) {
	d, err := ledger.ParseDimRef(name)
	if err != nil {
		return nil, err
	}
	list, err := newPatterns(values)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &dimTest{d, list}, nil
}

func newTimes(list []Window) (timeTest, error) {
	if err := checkList(len(list)); err != nil {
		return nil, err
	}
	var out []window
	for i := range list {
		w, err := newWindow(&list[i])
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
		out = append(out, w)
	}
	return out, nil
}

// newMatch reads whose requests a policy is for, in the order of the dimensions.
func newMatch(m map[string][]string) ([]dimValues, error) {
	if len(m) > MaxConditions {
		return nil, fmt.Errorf("there are %d dimensions, more than %d", len(m), MaxConditions)
	}
	var list []dimValues
	for _, name := range slices.Sorted(maps.Keys(m)) {
		d, err := ledger.ParseDimRef(name)
		if err != nil {
			return nil, err
		}
		values := m[name]
		if err := checkList(len(values)); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for i, v := range values {
			if v == "" || len(v) > ledger.MaxDimValue || !utf8.ValidString(v) {
				return nil, fmt.Errorf("%s: [%d] is empty, longer than %d bytes or not UTF-8", name, i, ledger.MaxDimValue)
			}
		}
		list = append(list, dimValues{d, values})
	}
	return list, nil
}

func checkList(n int) error {
	if n == 0 || n > MaxList {
		return fmt.Errorf("has %d entries, not 1 to %d", n, MaxList)
	}
	return nil
}
