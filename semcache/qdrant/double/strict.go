package double

import (
	"fmt"
	"slices"
	"strings"

	"github.com/qdrant/go-client/qdrant"
)

// strictness is how strict mode is set; never nil.
func (c *collection) strictness() *qdrant.StrictModeConfig {
	if s := c.create.StrictModeConfig; s != nil {
		return s
	}
	return &qdrant.StrictModeConfig{}
}

// allowed refuses a filter whose keys lack an index that answers it, as strict mode
// does where the setting is false. The first such key is named.
func (c *collection) allowed(f *qdrant.Filter, setting *bool) error {
	if !c.strictness().GetEnabled() || setting == nil || *setting {
		return nil
	}
	lists := [][]*qdrant.Condition{f.GetMust(), f.GetShould(), f.GetMustNot(), f.GetMinShould().GetConditions()}
	for _, condition := range slices.Concat(lists...) {
		if inner := condition.GetFilter(); inner != nil {
			if err := c.allowed(inner, setting); err != nil {
				return err
			}
			continue
		}
		key, kinds := needed(condition)
		if len(kinds) == 0 {
			continue
		}
		if got, ok := c.indexes[key]; ok && slices.Contains(kinds, kindName(got.GetDataType())) {
			continue
		}
		return strict(fmt.Sprintf("Index required but not found for %q of one of the following types: [%s]", key, strings.Join(kinds, ", ")),
			"Create an index for this key or use a different filter.")
	}
	return nil
}

// everyKind can answer whether a key has a value.
var everyKind = []string{"bool", "datetime", "float", "geo", "integer", "keyword", "text", "uuid"}

// needed are the kinds of index that answer a condition, in order.
func needed(c *qdrant.Condition) (key string, kinds []string) {
	switch one := c.GetConditionOneOf().(type) {
	case *qdrant.Condition_IsEmpty:
		return one.IsEmpty.GetKey(), everyKind
	case *qdrant.Condition_IsNull:
		return one.IsNull.GetKey(), everyKind
	case *qdrant.Condition_Field:
		f := one.Field
		switch {
		case f.Match != nil:
			return f.Key, neededForMatch(f.Match)
		case f.Range != nil:
			return f.Key, []string{"float", "integer"}
		case f.ValuesCount != nil:
			return f.Key, everyKind
		}
	}
	return "", nil
}

func neededForMatch(m *qdrant.Match) []string {
	words := func(list ...string) []string {
		switch {
		case len(list) == 0:
			return nil
		case slices.ContainsFunc(list, func(s string) bool { _, ok := parseUUID(s); return !ok }):
			return []string{"keyword"}
		default:
			return []string{"keyword", "uuid"}
		}
	}
	numbers := func(n int) []string {
		if n == 0 {
			return nil
		}
		return []string{"integer"}
	}
	switch want := m.GetMatchValue().(type) {
	case *qdrant.Match_Keyword:
		return words(want.Keyword)
	case *qdrant.Match_Keywords:
		return words(want.Keywords.GetStrings()...)
	case *qdrant.Match_ExceptKeywords:
		return words(want.ExceptKeywords.GetStrings()...)
	case *qdrant.Match_Integer:
		return []string{"integer"}
	case *qdrant.Match_Integers:
		return numbers(len(want.Integers.GetIntegers()))
	case *qdrant.Match_ExceptIntegers:
		return numbers(len(want.ExceptIntegers.GetIntegers()))
	case *qdrant.Match_Boolean:
		return []string{"bool"}
	default:
		return nil
	}
}

func kindName(t qdrant.PayloadSchemaType) string { return strings.ToLower(t.String()) }

// limited refuses more than strict mode lets one ask for.
func (c *collection) limited(limit uint64) error {
	s := c.strictness()
	if s.GetEnabled() && s.MaxQueryLimit != nil && limit > uint64(*s.MaxQueryLimit) {
		return strict(fmt.Sprintf("Limit exceeded %d > %d for \"limit\"", limit, *s.MaxQueryLimit),
			fmt.Sprintf("Reduce the \"limit\" parameter to or below %d.", *s.MaxQueryLimit))
	}
	return nil
}
