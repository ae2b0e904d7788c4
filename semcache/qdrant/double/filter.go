package double

import (
	"slices"
	"strings"

	"github.com/qdrant/go-client/qdrant"
)

// predicate says whether a point passes a filter.
type predicate func(*point) bool

// compile reads a filter. No filter, and an empty one, let every point pass.
func compile(f *qdrant.Filter) (predicate, error) {
	must, err := compileAll(f.GetMust())
	if err != nil {
		return nil, err
	}
	should, err := compileAll(f.GetShould())
	if err != nil {
		return nil, err
	}
	mustNot, err := compileAll(f.GetMustNot())
	if err != nil {
		return nil, err
	}
	some, err := compileAll(f.GetMinShould().GetConditions())
	if err != nil {
		return nil, err
	}
	least := int(f.GetMinShould().GetMinCount())
	return func(p *point) bool {
		return count(must, p) == len(must) &&
			(len(should) == 0 || count(should, p) > 0) &&
			count(mustNot, p) == 0 &&
			count(some, p) >= least
	}, nil
}

func compileAll(conditions []*qdrant.Condition) ([]predicate, error) {
	var out []predicate
	for _, c := range conditions {
		p, err := compileOne(c)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func count(list []predicate, p *point) int {
	n := 0
	for _, pass := range list {
		if pass(p) {
			n++
		}
	}
	return n
}

func compileOne(c *qdrant.Condition) (predicate, error) {
	switch one := c.GetConditionOneOf().(type) {
	case *qdrant.Condition_Field:
		return compileField(one.Field)
	case *qdrant.Condition_Filter:
		return compile(one.Filter)
	case *qdrant.Condition_IsEmpty:
		key := one.IsEmpty.GetKey()
		return func(p *point) bool { return len(present(lookup(p.payload, key))) == 0 }, nil
	case *qdrant.Condition_IsNull:
		key := one.IsNull.GetKey()
		return func(p *point) bool { return slices.ContainsFunc(lookup(p.payload, key), isNull) }, nil
	case *qdrant.Condition_HasId:
		ids := map[string]bool{}
		for _, id := range one.HasId.GetHasId() {
			key, err := keyOf(id)
			if err != nil {
				return nil, err
			}
			ids[key] = true
		}
		return func(p *point) bool { return ids[p.key] }, nil
	default:
		return nil, beyond("such conditions")
	}
}

func compileField(f *qdrant.FieldCondition) (predicate, error) {
	if f.GeoBoundingBox != nil || f.GeoRadius != nil || f.GeoPolygon != nil || f.DatetimeRange != nil || f.IsEmpty != nil || f.IsNull != nil {
		return nil, beyond("such field conditions")
	}
	var value func(*qdrant.Value) bool
	switch {
	case f.Match != nil:
		m, err := compileMatch(f.Match)
		if err != nil {
			return nil, err
		}
		value = m
	case f.Range != nil:
		value = func(v *qdrant.Value) bool { return within(f.Range, v) }
	case f.ValuesCount != nil:
		return func(p *point) bool { return counted(f.ValuesCount, p.payload, f.Key) }, nil
	default:
		return nil, badInput("At least one field condition must be specified")
	}
	return func(p *point) bool { return slices.ContainsFunc(lookup(p.payload, f.Key), value) }, nil
}

func compileMatch(m *qdrant.Match) (func(*qdrant.Value) bool, error) {
	switch want := m.GetMatchValue().(type) {
	case *qdrant.Match_Keyword:
		return func(v *qdrant.Value) bool { s, ok := text(v); return ok && s == want.Keyword }, nil
	case *qdrant.Match_Integer:
		return func(v *qdrant.Value) bool { n, ok := integer(v); return ok && n == want.Integer }, nil
	case *qdrant.Match_Boolean:
		return func(v *qdrant.Value) bool {
			b, ok := v.GetKind().(*qdrant.Value_BoolValue)
			return ok && b.BoolValue == want.Boolean
		}, nil
	case *qdrant.Match_Keywords:
		return func(v *qdrant.Value) bool {
			s, ok := text(v)
			return ok && slices.Contains(want.Keywords.GetStrings(), s)
		}, nil
	case *qdrant.Match_Integers:
		return func(v *qdrant.Value) bool {
			n, ok := integer(v)
			return ok && slices.Contains(want.Integers.GetIntegers(), n)
		}, nil
	case *qdrant.Match_ExceptKeywords:
		return func(v *qdrant.Value) bool {
			s, ok := text(v)
			return !isNull(v) && !(ok && slices.Contains(want.ExceptKeywords.GetStrings(), s))
		}, nil
	case *qdrant.Match_ExceptIntegers:
		return func(v *qdrant.Value) bool {
			n, ok := integer(v)
			return !isNull(v) && !(ok && slices.Contains(want.ExceptIntegers.GetIntegers(), n))
		}, nil
	default:
		return nil, beyond("such matches")
	}
}

func within(r *qdrant.Range, v *qdrant.Value) bool {
	var x float64
	switch n := v.GetKind().(type) {
	case *qdrant.Value_IntegerValue:
		x = float64(n.IntegerValue)
	case *qdrant.Value_DoubleValue:
		x = n.DoubleValue
	default:
		return false
	}
	return (r.Lt == nil || x < *r.Lt) && (r.Gt == nil || x > *r.Gt) && (r.Lte == nil || x <= *r.Lte) && (r.Gte == nil || x >= *r.Gte)
}

// counted counts the elements of a list; any other value is one, and null and what
// is missing are none.
func counted(c *qdrant.ValuesCount, payload map[string]*qdrant.Value, key string) bool {
	n := uint64(0)
	for _, v := range whole(payload, strings.Split(key, ".")) {
		switch k := v.GetKind().(type) {
		case *qdrant.Value_ListValue:
			n += uint64(len(k.ListValue.GetValues()))
		case *qdrant.Value_NullValue:
		default:
			n++
		}
	}
	return (c.Lt == nil || n < *c.Lt) && (c.Gt == nil || n > *c.Gt) && (c.Lte == nil || n <= *c.Lte) && (c.Gte == nil || n >= *c.Gte)
}

// lookup gives the values at a path: those of a list one by one.
func lookup(payload map[string]*qdrant.Value, key string) []*qdrant.Value {
	var out []*qdrant.Value
	for _, v := range whole(payload, strings.Split(key, ".")) {
		if l, ok := v.GetKind().(*qdrant.Value_ListValue); ok {
			out = append(out, l.ListValue.GetValues()...)
		} else {
			out = append(out, v)
		}
	}
	return out
}

// whole gives the values at a path as they are. name[] is each element of the list.
func whole(fields map[string]*qdrant.Value, path []string) []*qdrant.Value {
	name, each := strings.CutSuffix(path[0], "[]")
	v, ok := fields[name]
	if !ok {
		return nil
	}
	values := []*qdrant.Value{v}
	if each {
		values = v.GetListValue().GetValues()
	}
	if len(path) == 1 {
		return values
	}
	var out []*qdrant.Value
	for _, v := range values {
		out = append(out, whole(v.GetStructValue().GetFields(), path[1:])...)
	}
	return out
}

func present(values []*qdrant.Value) []*qdrant.Value {
	return slices.DeleteFunc(slices.Clone(values), isNull)
}

func isNull(v *qdrant.Value) bool {
	_, null := v.GetKind().(*qdrant.Value_NullValue)
	return null
}

func text(v *qdrant.Value) (string, bool) {
	s, ok := v.GetKind().(*qdrant.Value_StringValue)
	if !ok {
		return "", false
	}
	return s.StringValue, true
}

func integer(v *qdrant.Value) (int64, bool) {
	n, ok := v.GetKind().(*qdrant.Value_IntegerValue)
	if !ok {
		return 0, false
	}
	return n.IntegerValue, true
}
