package usage

import (
	"reflect"
	"testing"

	"purser/ledger"
)

func TestMappingsChangeDimensionsInOrder(t *testing.T) {
	team, customer := ledger.DimRef{Dim: ledger.DimTeam}, ledger.DimRef{Dim: ledger.DimCustomer}
	job, owner := ledger.DimRef{Dim: ledger.DimTag, Tag: "job"}, ledger.DimRef{Dim: ledger.DimTag, Tag: "owner"}
	m := &Mapping{Rules: []MappingRule{
		{When: []MappingMatch{{customer, []string{"acme-*", "bolt"}}, {team, []string{""}}}, Set: []MappingValue{{team, "sales"}, {owner, "jo"}}},
		{When: []MappingMatch{{team, []string{"sales"}}}, Set: []MappingValue{{customer, "all of sales"}, {job, ""}}},
		{When: []MappingMatch{{job, []string{"*"}}}, Set: []MappingValue{{job, "some"}}},
	}}
	make := func(teamOf, customerOf string, tags ...ledger.Tag) (d ledger.Dimensions) {
		d.Values[ledger.DimTeam], d.Values[ledger.DimCustomer], d.Tags = teamOf, customerOf, tags
		return d
	}
	for name, c := range map[string]struct{ from, to ledger.Dimensions }{
		"all rules, one after the other": {make("", "acme-eu", ledger.Tag{Name: "job", Value: "x"}), make("sales", "all of sales", ledger.Tag{Name: "owner", Value: "jo"})},
		"a value that is there":          {make("", "bolt"), make("sales", "all of sales", ledger.Tag{Name: "owner", Value: "jo"})},
		"a condition fails":              {make("ads", "acme-eu"), make("ads", "acme-eu")},
		"a prefix is not the whole":      {make("", "acme"), make("", "acme")},
		"any value":                      {make("", "", ledger.Tag{Name: "job", Value: "x"}), make("", "", ledger.Tag{Name: "job", Value: "some"})},
		"any value, and none":            {make("", ""), make("", "")},
	} {
		got := c.from
		if m.Apply(&got); len(got.Tags) == 0 {
			got.Tags = nil
		}
		if !reflect.DeepEqual(got, c.to) {
			t.Errorf("%s: %+v, want %+v", name, got, c.to)
		}
	}
	var none *Mapping
	d := make("a", "b")
	if none.Apply(&d); !reflect.DeepEqual(d, make("a", "b")) || none.sets(DimField(team)) {
		t.Error("no mapping changes something")
	}
}
