package focus

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"purser/ledger"
)

// rule is what every row must keep to.
type rule struct {
	id, text string
	holds    func(*view) bool
}

// column that must be there, of some versions.
type mustBe struct {
	column, rule string
	versions     []Version
}

// onlyOne says that each value of a column goes with one of another.
type onlyOne struct{ rule, of, one string }

var distinct = []onlyOne{
	{"SkuPriceId-C-008-M", "SkuPriceId", "SkuId"},
	{"ServiceName-C-005-C", "ServiceName", "ServiceCategory"},
	{"ServiceName-C-008-C", "ServiceName", "ServiceSubcategory"},
	{"SkuMeter-C-006-O", "SkuId", "SkuMeter"},
}

// present are the columns that are mandatory, or conditional on what we have: prices,
// contracts, usage, sub accounts, tags, regions.
var present = []mustBe{
	{"BilledCost", "CostAndUsage-D-006-M", nil}, {"BillingAccountId", "CostAndUsage-D-024-M", nil}, {"BillingAccountName", "CostAndUsage-D-005-M", nil},
	{"BillingAccountType", "CostAndUsage-D-007-C", nil}, {"BillingCurrency", "CostAndUsage-D-035-M", nil}, {"BillingPeriodEnd", "CostAndUsage-D-010-M", nil},
	{"BillingPeriodStart", "CostAndUsage-D-009-M", nil}, {"ChargeCategory", "CostAndUsage-D-008-M", nil}, {"ChargeClass", "CostAndUsage-D-026-M", nil},
	{"ChargeDescription", "CostAndUsage-D-025-M", nil}, {"ChargeFrequency", "CostAndUsage-D-027-O", nil}, {"ChargePeriodEnd", "CostAndUsage-D-028-M", nil},
	{"ChargePeriodStart", "CostAndUsage-D-037-M", nil}, {"ConsumedQuantity", "CostAndUsage-D-011-C", nil}, {"ConsumedUnit", "CostAndUsage-D-066-C", nil},
	{"ContractedCost", "CostAndUsage-D-030-M", nil}, {"ContractedUnitPrice", "CostAndUsage-D-034-C", nil}, {"EffectiveCost", "CostAndUsage-D-031-M", nil},
	{"HostProviderName", "HostProviderName-C-001-M", []Version{V13, V14}}, {"InvoiceDetailId", "InvoiceDetailId-C-001-M", []Version{V14}},
	{"InvoiceId", "CostAndUsage-D-033-O", nil}, {"InvoiceIssuerName", "CostAndUsage-D-023-M", nil}, {"ListCost", "CostAndUsage-D-032-M", nil},
	{"ListUnitPrice", "CostAndUsage-D-004-C", nil}, {"PricingCategory", "CostAndUsage-D-022-C", nil}, {"PricingQuantity", "CostAndUsage-D-036-M", nil},
	{"PricingUnit", "CostAndUsage-D-068-M", nil}, {"ProviderName", "CostAndUsage-D-038-M", []Version{V12, V13}}, {"PublisherName", "CostAndUsage-D-021-M", []Version{V12, V13}},
	{"RegionId", "CostAndUsage-D-063-C", nil}, {"RegionName", "CostAndUsage-D-062-C", nil}, {"ServiceCategory", "CostAndUsage-D-040-M", nil},
	{"ServiceName", "CostAndUsage-D-041-M", nil}, {"ServiceProviderName", "ServiceProviderName-C-001-M", []Version{V13, V14}},
	{"ServiceSubcategory", "CostAndUsage-D-042-O", nil}, {"SkuId", "CostAndUsage-D-060-C", nil}, {"SkuMeter", "CostAndUsage-D-059-C", nil},
	{"SkuPriceDetails", "CostAndUsage-D-061-C", nil}, {"SkuPriceId", "CostAndUsage-D-058-C", nil}, {"SubAccountId", "CostAndUsage-D-019-C", nil},
	{"SubAccountName", "CostAndUsage-D-029-C", nil}, {"SubAccountType", "CostAndUsage-D-067-C", nil}, {"Tags", "CostAndUsage-D-064-C", nil},
}

// specified are the columns that the specification has, those that we do not write
// among them.
var specified = func() map[string]bool {
	all := map[string]bool{}
	for _, p := range present {
		all[p.column] = true
	}
	for _, name := range strings.Fields(`AvailabilityZone CapacityReservationId CapacityReservationStatus CommitmentDiscountCategory CommitmentDiscountId
		CommitmentDiscountName CommitmentDiscountQuantity CommitmentDiscountStatus CommitmentDiscountType CommitmentDiscountUnit PricingCurrency
		PricingCurrencyContractedUnitPrice PricingCurrencyEffectiveCost PricingCurrencyListUnitPrice ResourceId ResourceName ResourceType
		AllocatedMethodDetails AllocatedMethodId AllocatedResourceId AllocatedResourceName AllocatedTags ContractApplied CommitmentProgramEligibilityDetails`) {
		all[name] = true
	}
	return all
}()

// notNull are columns without null, by the rule that says so.
var notNull = map[string]string{
	"BilledCost": "BilledCost-C-003-M", "BillingAccountId": "BillingAccountId-C-001-M", "BillingAccountName": "BillingAccountName-C-003-C",
	"BillingAccountType": "BillingAccountType-C-005-C", "BillingCurrency": "BillingCurrency-C-004-M", "BillingPeriodEnd": "BillingPeriodEnd-C-003-M",
	"BillingPeriodStart": "BillingPeriodStart-C-003-M", "ChargeCategory": "ChargeCategory-C-002-M", "ChargeDescription": "ChargeDescription-C-003-O",
	"ChargeFrequency": "ChargeFrequency-C-002-M", "ChargePeriodEnd": "ChargePeriodEnd-C-003-M", "ChargePeriodStart": "ChargePeriodStart-C-003-M",
	"ContractedCost": "ContractedCost-C-003-M", "EffectiveCost": "EffectiveCost-C-003-M", "HostProviderName": "HostProviderName-C-004-M",
	"InvoiceIssuerName": "InvoiceIssuerName-C-003-M", "ListCost": "ListCost-C-003-M", "ProviderName": "ProviderName-C-003-M",
	"PublisherName": "PublisherName-C-003-M", "ServiceCategory": "ServiceCategory-C-002-M", "ServiceName": "ServiceName-C-003-M",
	"ServiceProviderName": "ServiceProviderName-C-004-M", "ServiceSubcategory": "ServiceSubcategory-C-002-M",
}

// charged are columns without null for usage that is no correction.
var charged = map[string]string{
	"ConsumedQuantity": "ConsumedQuantity-C-006-C", "ContractedUnitPrice": "ContractedUnitPrice-C-006-C", "ListUnitPrice": "ListUnitPrice-C-005-C",
	"PricingCategory": "PricingCategory-C-004-C", "PricingQuantity": "PricingQuantity-C-005-C", "SkuId": "SkuId-C-005-C", "SkuPriceId": "SkuPriceId-C-005-C",
}

// allowed are the values that columns may have.
var allowed = map[string]struct {
	rule   string
	values []string
}{
	"ChargeCategory":  {"ChargeCategory-C-003-M", []string{"Usage", "Purchase", "Tax", "Credit", "Adjustment"}},
	"ChargeClass":     {"ChargeClass-C-005-C", []string{"Correction"}},
	"ChargeFrequency": {"ChargeFrequency-C-003-M", []string{"One-Time", "Recurring", "Usage-Based"}},
	"PricingCategory": {"PricingCategory-C-007-M", []string{"Standard", "Committed", "Dynamic", "Other"}},
	"ServiceCategory": {"ServiceCategory-C-003-M", []string{
		"AI and Machine Learning", "Analytics", "Business Applications", "Compute", "Databases", "Developer Tools", "Multicloud", "Identity", "Integration",
		"Internet of Things", "Management and Governance", "Media", "Migration", "Mobile", "Networking", "Security", "Storage", "Web", "Other"}},
	"ServiceSubcategory": {"ServiceSubcategory-C-003-M", []string{
		"AI Platforms", "Bots", "Generative AI", "Machine Learning", "Natural Language Processing", "Other (AI and Machine Learning)"}},
}

// follow are columns that are null with another, and only with it.
var follow = []struct{ column, other, null, notNull string }{
	{"ConsumedUnit", "ConsumedQuantity", "ConsumedUnit-C-005-C", "ConsumedUnit-C-006-C"},
	{"PricingUnit", "PricingQuantity", "PricingUnit-C-005-C", "PricingUnit-C-006-C"},
	{"SkuMeter", "SkuId", "SkuMeter-C-004-C", "SkuMeter-C-005-C"},
	{"SubAccountName", "SubAccountId", "SubAccountName-C-004-C", "SubAccountName-C-005-C"},
	{"SubAccountType", "SubAccountId", "SubAccountType-C-004-C", "SubAccountType-C-005-C"},
	{"RegionName", "RegionId", "RegionName-C-004-C", "RegionName-C-005-C"},
}

// types are those of numbers and times, by the rules of type and of format.
var numbers = map[string]string{
	"BilledCost": "BilledCost-C-002-M", "ConsumedQuantity": "ConsumedQuantity-C-002-M", "ContractedCost": "ContractedCost-C-002-M",
	"ContractedUnitPrice": "ContractedUnitPrice-C-003-M", "EffectiveCost": "EffectiveCost-C-002-M", "ListCost": "ListCost-C-002-M",
	"ListUnitPrice": "ListUnitPrice-C-002-M", "PricingQuantity": "PricingQuantity-C-002-M",
	"PricingCurrencyContractedUnitPrice": "PricingCurrencyContractedUnitPrice-C-002-M", "PricingCurrencyEffectiveCost": "PricingCurrencyEffectiveCost-C-002-M",
	"PricingCurrencyListUnitPrice": "PricingCurrencyListUnitPrice-C-002-M",
}

var times = map[string]string{
	"BillingPeriodEnd": "BillingPeriodEnd-C-002-M", "BillingPeriodStart": "BillingPeriodStart-C-002-M",
	"ChargePeriodEnd": "ChargePeriodEnd-C-002-M", "ChargePeriodStart": "ChargePeriodStart-C-002-M",
}

// unitForm is the specification's format of units, in the forms that are written.
var unitForm = regexp.MustCompile(`^([0-9]+ )?[A-Za-z][A-Za-z0-9]*( [A-Za-z][A-Za-z0-9]*)*$`)

// rulesOf are the rules for each row of a version.
func rulesOf(version Version) (list []rule) {
	add := func(id, text string, holds func(*view) bool) { list = append(list, rule{id, text, holds}) }
	for _, name := range sorted(notNull) {
		add(notNull[name], name+" must not be null", func(v *view) bool { return !v.has(name) || !v.null(name) })
	}
	for _, name := range sorted(charged) {
		add(charged[name], name+" must not be null when ChargeCategory is Usage or Purchase and ChargeClass is not Correction",
			func(v *view) bool {
				return !v.charged() || name == "ConsumedQuantity" && !v.is("ChargeCategory", "Usage") || !v.null(name)
			})
	}
	for _, name := range sorted(allowed) {
		a := allowed[name]
		add(a.rule, name+" must be one of "+strings.Join(a.values, ", "), func(v *view) bool { return v.null(name) || slices.Contains(a.values, v.cell(name).Text) })
	}
	for _, f := range follow {
		add(f.null, f.column+" must be null when "+f.other+" is null", func(v *view) bool { return !v.null(f.other) || v.null(f.column) })
		add(f.notNull, f.column+" must not be null when "+f.other+" is not null", func(v *view) bool { return v.null(f.other) || !v.null(f.column) })
	}
	for _, name := range sorted(numbers) {
		add(numbers[name], name+" must be a decimal number without exponent, sign of plus or separators", func(v *view) bool {
			_, ok := v.number(name)
			return ok || v.null(name)
		})
	}
	for _, name := range sorted(times) {
		add(times[name], name+" must be a time as YYYY-MM-DDTHH:mm:ssZ", func(v *view) bool { c := v.cell(name); return !c.Set || c.Text == "" })
	}
	for _, name := range [...]string{"ListUnitPrice", "ContractedUnitPrice"} {
		id := map[string]string{"ListUnitPrice": "ListUnitPrice-C-008-M", "ContractedUnitPrice": "ContractedUnitPrice-C-009-C"}[name]
		add(id, name+" must not be negative", func(v *view) bool { d, ok := v.number(name); return !ok || d.Units.Sign() >= 0 })
	}
	for _, p := range [...][3]string{{"ListUnitPrice", "ListCost", "ListUnitPrice-C-010-C"}, {"ContractedUnitPrice", "ContractedCost", "ContractedUnitPrice-C-011-C"}} {
		add(p[2], p[0]+" times PricingQuantity must be "+p[1]+", exactly", func(v *view) bool {
			a, okA := v.number(p[0])
			q, okQ := v.number("PricingQuantity")
			cost, ok := v.number(p[1])
			return !okA || !okQ || !ok || v.is("ChargeClass", "Correction") || a.Mul(q).Cmp(cost) == 0
		})
	}
	for _, p := range [...][3]string{{"ListUnitPrice", "ListCost", "ListCost-C-008-C"}, {"ContractedUnitPrice", "ContractedCost", "ContractedCost-C-008-C"}} {
		add(p[2], p[1]+" must be BilledCost when there is no "+p[0], func(v *view) bool {
			cost, ok := v.number(p[1])
			billed, okB := v.number("BilledCost")
			return !v.null(p[0]) || !ok || !okB || cost.Cmp(billed) == 0
		})
	}
	for _, name := range [...]string{"ConsumedUnit", "PricingUnit"} {
		add(name+"-C-003-O", name+" should have the format of units", func(v *view) bool { return v.null(name) || unitForm.MatchString(v.cell(name).Text) })
	}
	for _, p := range [...][2]string{{"Tags", "Tags-C-001-M"}, {"SkuPriceDetails", "SkuPriceDetails-C-001-M"}} {
		add(p[1], p[0]+" must be a JSON object of strings, numbers, true, false or null", func(v *view) bool { return v.null(p[0]) || flat(v.cell(p[0]).Text) })
	}
	add("SkuPriceDetails-C-017-C", "keys of SkuPriceDetails that are none of the specification's must begin with x_", func(v *view) bool {
		var m map[string]any
		return v.null("SkuPriceDetails") || json.Unmarshal([]byte(v.cell("SkuPriceDetails").Text), &m) != nil || !slices.ContainsFunc(sorted(m), func(k string) bool { return !strings.HasPrefix(k, "x_") && !skuKeys[k] })
	})
	add("SkuPriceDetails-C-004-C", "SkuPriceDetails must be null when SkuPriceId is null", func(v *view) bool { return !v.null("SkuPriceId") || v.null("SkuPriceDetails") })
	add("ConsumedQuantity-C-004-C", "ConsumedQuantity must be null when ChargeCategory is not Usage", func(v *view) bool { return v.is("ChargeCategory", "Usage") || v.null("ConsumedQuantity") })
	add("ChargeFrequency-C-004-C", "ChargeFrequency must not be Usage-Based for a Purchase", func(v *view) bool {
		return !v.is("ChargeCategory", "Purchase") || !v.is("ChargeFrequency", "Usage-Based")
	})
	add("BillingCurrency-C-003-M", "BillingCurrency must be a code of ISO 4217; amounts are in USD", func(v *view) bool { return v.null("BillingCurrency") || v.is("BillingCurrency", "USD") })
	if version != V14 {
		add("BilledCost-C-005-C", "BilledCost must be 0 when ProviderName is not InvoiceIssuerName", func(v *view) bool {
			d, ok := v.number("BilledCost")
			return !ok || d.Units.Sign() == 0 || v.null("ProviderName") || v.cell("ProviderName").Text == v.cell("InvoiceIssuerName").Text
		})
	}
	add("EffectiveCost-C-010-C", "EffectiveCost must be BilledCost where nothing is amortized", func(v *view) bool {
		e, ok := v.number("EffectiveCost")
		b, okB := v.number("BilledCost")
		return !ok || !okB || e.Cmp(b) == 0
	})
	add("purser-charge-period", "a charge period begins before it ends, and within its billing period", func(v *view) bool {
		start, end, from, to := v.cell("ChargePeriodStart"), v.cell("ChargePeriodEnd"), v.cell("BillingPeriodStart"), v.cell("BillingPeriodEnd")
		return !start.Set || !end.Set || !from.Set || !to.Set || start.At < end.At && from.At <= start.At && end.At <= to.At
	})
	add("purser-billing-period", "a billing period is a calendar month, UTC", func(v *view) bool {
		from, to := v.cell("BillingPeriodStart"), v.cell("BillingPeriodEnd")
		return !from.Set || !to.Set || from.At == monthOf(from.At, 0) && to.At == monthOf(from.At, 1)
	})
	add("StringHandling-A-007-M", "texts must not be of spaces alone", func(v *view) bool {
		return !slices.ContainsFunc(v.row, func(c Cell) bool { return c.Set && c.Text != "" && strings.TrimSpace(c.Text) == "" })
	})
	return list
}

// skuKeys are the keys of SkuPriceDetails that the specification has.
var skuKeys = map[string]bool{
	"CoreCount": true, "DiskMaxIops": true, "DiskSpace": true, "DiskType": true, "GpuCount": true, "InstanceType": true, "InstanceSeries": true,
	"MemorySize": true, "NetworkMaxIops": true, "NetworkMaxThroughput": true, "OperatingSystem": true, "Redundancy": true, "StorageClass": true,
}

func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// flat tells whether a text is a JSON object without objects or arrays in it, each key once.
func flat(s string) bool {
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return false
	}
	seen := map[string]bool{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return false
		}
		k, _ := name.(string)
		v, err := d.Token()
		if _, nested := v.(json.Delim); err != nil || nested || seen[k] {
			return false
		}
		seen[k] = true
	}
	_, err := d.Token()
	return err == nil && !d.More()
}

// Month is the month of an instant, as partitions are named: "2026-11".
func Month(at ledger.Instant) string { return time.Unix(0, int64(at)).UTC().Format("2006-01") }
