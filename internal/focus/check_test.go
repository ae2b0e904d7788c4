package focus

import (
	"bytes"
	"encoding/csv"
	"maps"
	"slices"
	"strings"
	"testing"
)

// mutation is one way to break a file: a column's value in its first row of a kind, or
// its head.
type mutation struct {
	column, value string
	where         string // a ChargeCategory, "" for Usage: which row
	last          bool   // and the last of those
}

// breaking has a file that breaks each rule.
var breaking = map[string]mutation{
	"BilledCost-C-002-M": {column: "BilledCost", value: "1e-3"}, "ConsumedQuantity-C-002-M": {column: "ConsumedQuantity", value: "1,000"},
	"ContractedCost-C-002-M": {column: "ContractedCost", value: "$1"}, "ContractedUnitPrice-C-003-M": {column: "ContractedUnitPrice", value: "+1"},
	"EffectiveCost-C-002-M": {column: "EffectiveCost", value: "one"}, "ListCost-C-002-M": {column: "ListCost", value: "1/3"},
	"ListUnitPrice-C-002-M": {column: "ListUnitPrice", value: "1 USD"}, "PricingQuantity-C-002-M": {column: "PricingQuantity", value: "1."},
	"PricingCurrencyContractedUnitPrice-C-002-M": {column: "PricingCurrencyContractedUnitPrice", value: "1E5"},
	"PricingCurrencyEffectiveCost-C-002-M":       {column: "PricingCurrencyEffectiveCost", value: "-"},
	"PricingCurrencyListUnitPrice-C-002-M":       {column: "PricingCurrencyListUnitPrice", value: "0.0.0"},
	"BillingPeriodEnd-C-002-M":                   {column: "BillingPeriodEnd", value: "2026-12-01"}, "BillingPeriodStart-C-002-M": {column: "BillingPeriodStart", value: "2026-11-01T00:00:00+01:00"},
	"ChargePeriodEnd-C-002-M": {column: "ChargePeriodEnd", value: "26.11.2026"}, "ChargePeriodStart-C-002-M": {column: "ChargePeriodStart", value: "1794000000"},

	"ChargeCategory-C-003-M": {column: "ChargeCategory", value: "usage"}, "ChargeClass-C-005-C": {column: "ChargeClass", value: "Refund"},
	"ChargeFrequency-C-003-M": {column: "ChargeFrequency", value: "Monthly"}, "PricingCategory-C-007-M": {column: "PricingCategory", value: "Spot"},
	"ServiceCategory-C-003-M": {column: "ServiceCategory", value: "AI"}, "ServiceSubcategory-C-003-M": {column: "ServiceSubcategory", value: "LLM"},

	"ConsumedUnit-C-005-C": {column: "ConsumedQuantity"}, "ConsumedUnit-C-006-C": {column: "ConsumedUnit"},
	"PricingUnit-C-005-C": {column: "PricingQuantity"}, "PricingUnit-C-006-C": {column: "PricingUnit"},
	"SkuMeter-C-004-C": {column: "SkuId"}, "SkuMeter-C-005-C": {column: "SkuMeter"},
	"SubAccountName-C-004-C": {column: "SubAccountId"}, "SubAccountName-C-005-C": {column: "SubAccountName"},
	"SubAccountType-C-004-C": {column: "SubAccountId"}, "SubAccountType-C-005-C": {column: "SubAccountType"},
	"RegionName-C-004-C": {column: "RegionName", value: "Europe"}, "RegionName-C-005-C": {column: "RegionId", value: "eu"},

	"ListUnitPrice-C-008-M": {column: "ListUnitPrice", value: "-1"}, "ContractedUnitPrice-C-009-C": {column: "ContractedUnitPrice", value: "-1"},
	"ListUnitPrice-C-010-C": {column: "ListCost", value: "123"}, "ContractedUnitPrice-C-011-C": {column: "ContractedCost", value: "0.000000000001"},
	"ListCost-C-008-C": {column: "ListCost", value: "9", where: "Adjustment"}, "ContractedCost-C-008-C": {column: "ContractedCost", value: "9", where: "Adjustment"},
	"ConsumedUnit-C-003-O": {column: "ConsumedUnit", value: "tokens/"}, "PricingUnit-C-003-O": {column: "PricingUnit", value: "per 1M"},
	"Tags-C-001-M": {column: "Tags", value: `{"a":{"b":1}}`}, "SkuPriceDetails-C-001-M": {column: "SkuPriceDetails", value: `["x_a"]`},
	"SkuPriceDetails-C-017-C": {column: "SkuPriceDetails", value: `{"ModelId":"gpt"}`}, "SkuPriceDetails-C-004-C": {column: "SkuPriceId"},
	"ConsumedQuantity-C-004-C": {column: "ConsumedQuantity", value: "1", where: "Adjustment"},
	"ChargeFrequency-C-004-C":  {column: "ChargeCategory", value: "Purchase"}, "BillingCurrency-C-003-M": {column: "BillingCurrency", value: "US$"},
	"BilledCost-C-005-C": {column: "InvoiceIssuerName", value: "A reseller"}, "EffectiveCost-C-010-C": {column: "EffectiveCost", value: "5"},
	"purser-charge-period":  {column: "ChargePeriodEnd", value: "2026-11-26T10:00:00Z"},
	"purser-billing-period": {column: "BillingPeriodEnd", value: "2026-11-30T00:00:00Z"}, "StringHandling-A-007-M": {column: "ServiceName", value: "  "},
	"SkuPriceId-C-008-M": {column: "SkuId", value: "another", last: true}, "ServiceName-C-005-C": {column: "ServiceCategory", value: "Compute"},
	"ServiceName-C-008-C": {column: "ServiceSubcategory", value: "Bots"}, "SkuMeter-C-006-O": {column: "SkuMeter", value: "Another Meter", last: true},
}

// mutated is the file with the mutation.
func mutated(t *testing.T, file []byte, m mutation) []byte {
	t.Helper()
	all, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column, category := slices.Index(all[0], m.column), slices.Index(all[0], "ChargeCategory")
	row := -1
	for i, r := range all {
		if r[category] == orElse(m.where, "Usage") && (row < 0 || m.last) {
			row = i
		}
	}
	if column < 0 || row < 0 || all[row][column] == m.value {
		t.Fatalf("there is nothing to change in %s", m.column)
	}
	all[row][column] = m.value
	return rewritten(t, all)
}

func rewritten(t *testing.T, all [][]string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := csv.NewWriter(&b).WriteAll(all); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func finds(r Report, rule string) bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Rule == rule })
}

func TestEveryRuleFindsWhatBreaksIt(t *testing.T) {
	c := contracted(t)
	rows := charges(t, Options{Rates: c}, mixed(t, c)...)
	all := maps.Clone(breaking)
	for column, rule := range notNull {
		all[rule] = mutation{column: column}
	}
	for column, rule := range charged {
		all[rule] = mutation{column: column}
	}
	tested := map[string]bool{}
	for _, v := range Versions {
		good := written(t, v, rows)
		if r := checked(t, v, good); len(r.Findings) > 0 {
			t.Fatalf("%s: what is written is found fault with: %+v", v, r.Findings)
		}
		var ids []string
		for _, r := range rulesOf(v) {
			ids = append(ids, r.id)
		}
		for _, d := range distinct {
			ids = append(ids, d.rule)
		}
		for _, id := range ids {
			m, ok := all[id]
			if !ok {
				t.Errorf("no mutation breaks %s", id)
				continue
			}
			if !slices.ContainsFunc(Focus(v).Columns(), func(c Column) bool { return c.Name == m.column }) {
				continue // of another version
			}
			tested[id] = true
			if r := checked(t, v, mutated(t, good, m)); !finds(r, id) {
				t.Errorf("%s: %s does not find %s = %q: %+v", v, id, m.column, m.value, r.Findings)
			}
		}
	}
	for id := range all {
		if !tested[id] {
			t.Errorf("%s is no rule", id)
		}
	}
}

func TestMissingAndMisplacedColumnsAreFound(t *testing.T) {
	c := contracted(t)
	rows := charges(t, Options{Rates: c}, mixed(t, c)...)
	for _, v := range Versions {
		all, err := csv.NewReader(bytes.NewReader(written(t, v, rows))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		without := func(column int) [][]string {
			var out [][]string
			for _, r := range all {
				out = append(out, slices.Delete(slices.Clone(r), column, column+1))
			}
			return out
		}
		for _, p := range present {
			i := slices.Index(all[0], p.column)
			if p.versions != nil && !slices.Contains(p.versions, v) {
				if i >= 0 {
					t.Errorf("%s has %s", v, p.column)
				}
				continue
			}
			if r := checked(t, v, rewritten(t, without(i))); !finds(r, p.rule) {
				t.Errorf("%s without %s: %+v", v, p.column, r.Findings)
			}
		}
	}
	head := Focus(V12).Columns()
	for rule, columns := range map[string][]Column{
		"purser-columns-once":    append(slices.Clone(head), head[0]),
		"ColumnHandling-A-010-M": append(slices.Clone(head), Column{Name: "Team"}),
		"ColumnHandling-A-013-O": append([]Column{{Name: "x_First"}}, head...),
		"purser-version":         append([]Column{{Name: "HostProviderName"}}, head...),
	} {
		if r := NewChecker(V12, columns).Report(); !finds(r, rule) {
			t.Errorf("%s is not found: %+v", rule, r.Findings)
		}
	}
}

func TestFormulasAreMadeHarmless(t *testing.T) {
	c := contracted(t)
	file := string(written(t, V12, charges(t, Options{Rates: c}, mixed(t, c)...)))
	all, err := csv.NewReader(strings.NewReader(file)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	dangerous := 0
	for _, row := range all[1:] {
		for i, f := range row {
			if f == "" {
				continue
			}
			if strings.ContainsAny(f[:1], "=+@\t\r") || f[0] == '-' && !strings.Contains(all[0][i], "Cost") {
				t.Errorf("%s is %q", all[0][i], f)
			}
			if strings.HasPrefix(f, "'=HYPERLINK") || strings.HasPrefix(f, "'@rounding") {
				dangerous++
			}
		}
	}
	if dangerous == 0 {
		t.Error("the file has no formula to make harmless")
	}
	if strings.Count(file, "\r\n") != len(all) {
		t.Error("lines do not end with CR LF")
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte("BilledCost,Tags,ChargePeriodStart\r\n1,\"{\"\"a\"\":1}\",2026-11-01T00:00:00Z\r\n"))
	f.Add([]byte("\xEF\xBB\xBFBilledCost\n-\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		src, err := ReadCSV(bytes.NewReader(file), Focus(V13).Columns())
		if err != nil {
			return
		}
		r, err := Check(V13, src)
		if err == nil && len(r.Findings) == 0 && r.Rows > 0 && len(src.Columns()) < len(present)-4 {
			t.Errorf("a file of %d columns is found good", len(src.Columns()))
		}
	})
}
