package focus

import (
	"fmt"
	"slices"
	"strings"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/price"
)

// Version is one of the specification's.
type Version string

// The versions that are written.
const (
	V12 Version = "1.2"
	V13 Version = "1.3"
	V14 Version = "1.4"
)

// Versions are all of them, the default first.
var Versions = []Version{V12, V13, V14}

// ParseVersion reads a version; "" is the default.
func ParseVersion(s string) (Version, error) {
	if s == "" {
		return V12, nil
	}
	if !slices.Contains(Versions, Version(s)) {
		return "", fmt.Errorf("FOCUS version %.40q is not one that is written: choose 1.2, 1.3 or 1.4", s)
	}
	return Version(s), nil
}

// focusFields are the columns of all versions, those of the specification in
// alphabetical order, then our own.
var focusFields = []struct {
	field[Charge]
	versions []Version // nil for all
}{
	must("BilledCost", Number, nanoScale, func(c *Charge) Cell { return dollars(c.billed) }),
	must("BillingAccountId", Text, 0, func(c *Charge) Cell { return text(orElse(c.upstream, Unallocated)) }),
	must("BillingAccountName", Text, 0, func(c *Charge) Cell { return text(orElse(c.upstream, Unallocated)) }),
	must("BillingAccountType", Text, 0, func(*Charge) Cell { return text("Upstream") }),
	must("BillingCurrency", Text, 0, func(*Charge) Cell { return text("USD") }),
	must("BillingPeriodEnd", Time, 0, func(c *Charge) Cell { return instant(monthOf(c.start, 1)) }),
	must("BillingPeriodStart", Time, 0, func(c *Charge) Cell { return instant(monthOf(c.start, 0)) }),
	must("ChargeCategory", Text, 0, func(c *Charge) Cell { return text(c.category()) }),
	may("ChargeClass", Text, 0, func(c *Charge) Cell { return when(c.late, text("Correction")) }),
	may("ChargeDescription", Text, 0, func(c *Charge) Cell { return text(c.description()) }),
	must("ChargeFrequency", Text, 0, func(c *Charge) Cell { return text(c.frequency()) }),
	must("ChargePeriodEnd", Time, 0, func(c *Charge) Cell { return instant(c.end) }),
	must("ChargePeriodStart", Time, 0, func(c *Charge) Cell { return instant(c.start) }),
	may("CommitmentDiscountStatus", Text, 0, null), // of no charge, and conditions of the specification name it
	may("ConsumedQuantity", Number, quantityScale, func(c *Charge) Cell { return when(c.usage(), count(c.quantity)) }),
	may("ConsumedUnit", Text, 0, func(c *Charge) Cell { return when(c.usage(), text(meterOf(c.meter).unit)) }),
	must("ContractedCost", Number, attoScale, func(c *Charge) Cell { return number(c.cost(c.agreed, c.priced)) }),
	may("ContractedUnitPrice", Number, priceScale, func(c *Charge) Cell { return when(c.usage(), number(c.price(c.agreed, c.priced))) }),
	must("EffectiveCost", Number, nanoScale, func(c *Charge) Cell { return dollars(c.billed) }),
	in(must("HostProviderName", Text, 0, func(c *Charge) Cell { return text(c.provider()) }), V13, V14),
	in(may("InvoiceDetailId", Text, 0, null), V14),
	may("InvoiceId", Text, 0, null),
	must("InvoiceIssuerName", Text, 0, func(c *Charge) Cell { return text(c.provider()) }),
	must("ListCost", Number, attoScale, func(c *Charge) Cell { return number(c.cost([2]int64{c.list, 1}, c.listed)) }),
	may("ListUnitPrice", Number, priceScale, func(c *Charge) Cell { return when(c.usage(), number(c.price([2]int64{c.list, 1}, c.listed))) }),
	may("PricingCategory", Text, 0, func(c *Charge) Cell { return when(c.usage(), text("Standard")) }),
	must("PricingCurrency", Text, 0, func(*Charge) Cell { return text("USD") }),
	may("PricingCurrencyContractedUnitPrice", Number, priceScale, func(c *Charge) Cell { return when(c.usage(), number(c.price(c.agreed, c.priced))) }),
	must("PricingCurrencyEffectiveCost", Number, nanoScale, func(c *Charge) Cell { return dollars(c.billed) }),
	may("PricingCurrencyListUnitPrice", Number, priceScale, func(c *Charge) Cell { return when(c.usage(), number(c.price([2]int64{c.list, 1}, c.listed))) }),
	may("PricingQuantity", Number, quantityScale, func(c *Charge) Cell { return when(c.usage(), number(c.pricing())) }),
	may("PricingUnit", Text, 0, func(c *Charge) Cell { return when(c.usage(), text(c.pricingUnit())) }),
	in(must("ProviderName", Text, 0, func(c *Charge) Cell { return text(c.provider()) }), V12, V13),
	in(must("PublisherName", Text, 0, func(c *Charge) Cell { return text(orElse(c.publisherName(), c.provider())) }), V12, V13),
	may("RegionId", Text, 0, func(c *Charge) Cell { return text(c.region) }),
	may("RegionName", Text, 0, func(c *Charge) Cell { return text(c.region) }),
	must("ServiceCategory", Text, 0, func(*Charge) Cell { return text("AI and Machine Learning") }),
	must("ServiceName", Text, 0, func(c *Charge) Cell { return text(c.provider() + " API") }),
	in(must("ServiceProviderName", Text, 0, func(c *Charge) Cell { return text(c.provider()) }), V13, V14),
	must("ServiceSubcategory", Text, 0, func(*Charge) Cell { return text("Generative AI") }),
	may("SkuId", Text, 0, func(c *Charge) Cell { return when(c.usage(), text(c.sku())) }),
	may("SkuMeter", Text, 0, func(c *Charge) Cell { return when(c.usage(), text(meterOf(c.meter).name)) }),
	may("SkuPriceDetails", JSON, 0, func(c *Charge) Cell { return when(c.usage(), text(c.details())) }),
	may("SkuPriceId", Text, 0, func(c *Charge) Cell { return when(c.usage(), text(c.skuPrice())) }),
	may("SubAccountId", Text, 0, func(c *Charge) Cell { id, _, _ := c.subAccount(); return text(id) }),
	may("SubAccountName", Text, 0, func(c *Charge) Cell { _, name, _ := c.subAccount(); return text(name) }),
	may("SubAccountType", Text, 0, func(c *Charge) Cell { _, _, kind := c.subAccount(); return text(kind) }),
	may("Tags", JSON, 0, func(c *Charge) Cell { return text(c.tags()) }),

	may("x_Agent", Text, 0, dim(ledger.DimAgent)),
	must("x_AvoidedCost", Number, nanoScale, func(c *Charge) Cell { return dollars(c.avoided) }),
	must("x_CacheHitCount", Count, 0, func(c *Charge) Cell { return count(c.hits) }),
	may("x_CostBasis", Text, 0, func(c *Charge) Cell { return when(c.basis != 0, text(c.basis.String())) }),
	must("x_Customer", Text, 0, owner(ledger.DimCustomer)),
	may("x_Environment", Text, 0, dim(ledger.DimEnv)),
	must("x_Feature", Text, 0, owner(ledger.DimFeature)),
	may("x_Key", Text, 0, dim(ledger.DimKey)),
	must("x_Member", Text, 0, owner(ledger.DimMember)),
	may("x_Model", Text, 0, dim(ledger.DimModel)),
	may("x_ModelServed", Text, 0, func(c *Charge) Cell { return text(c.served) }),
	must("x_Organization", Text, 0, owner(ledger.DimOrg)),
	must("x_Project", Text, 0, owner(ledger.DimProject)),
	may("x_Prompt", Text, 0, dim(ledger.DimPrompt)),
	may("x_Provider", Text, 0, dim(ledger.DimProvider)),
	must("x_RecordKind", Text, 0, func(c *Charge) Cell { return text(c.kind.String()) }),
	must("x_RequestCount", Count, 0, func(c *Charge) Cell { return count(c.requests) }),
	may("x_RequestId", Text, 0, func(c *Charge) Cell { return text(c.request) }),
	may("x_Run", Text, 0, dim(ledger.DimRun)),
	may("x_ServiceTier", Text, 0, func(c *Charge) Cell { return text(c.tier) }),
	may("x_Session", Text, 0, dim(ledger.DimSession)),
	must("x_Team", Text, 0, owner(ledger.DimTeam)),
}

type focusField = struct {
	field[Charge]
	versions []Version
}

func must(name string, t Type, scale int, of func(*Charge) Cell) focusField {
	return focusField{field: field[Charge]{Column{Name: name, Type: t, Scale: scale}, of}}
}

func may(name string, t Type, scale int, of func(*Charge) Cell) focusField {
	f := must(name, t, scale, of)
	f.Nullable = true
	return f
}

func in(f focusField, versions ...Version) focusField {
	f.versions = versions
	return f
}

func null(*Charge) Cell { return Cell{} }

func when(is bool, c Cell) Cell {
	if is {
		return c
	}
	return Cell{}
}

func dim(d ledger.Dim) func(*Charge) Cell {
	return func(c *Charge) Cell { return text(c.dims[d]) }
}

func owner(d ledger.Dim) func(*Charge) Cell {
	return func(c *Charge) Cell { return text(orElse(c.dims[d], Unallocated)) }
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// Focus is the Cost and Usage dataset of a version.
func Focus(v Version) *Table[Charge] {
	t := &Table[Charge]{Name: "focus-" + string(v)}
	for _, f := range focusFields {
		if f.versions == nil || slices.Contains(f.versions, v) {
			t.fields = append(t.fields, f.field)
		}
	}
	return t
}

// usage tells whether the charge is for usage. What corrects it, or is presumed, is an
// adjustment: it has amounts and no quantities.
func (c *Charge) usage() bool { return c.kind == record.KindRequest }

func (c *Charge) category() string {
	if c.usage() {
		return "Usage"
	}
	return "Adjustment"
}

func (c *Charge) frequency() string {
	if c.usage() {
		return "Usage-Based"
	}
	return "One-Time"
}

func (c *Charge) provider() string { return providerName(c.dims[ledger.DimProvider]) }

func (c *Charge) publisherName() string {
	if c.publisher == "" {
		return ""
	}
	return providerName(c.publisher)
}

// metered tells whether the charge has a unit price.
func (c *Charge) metered() bool { return c.rate != "" }

func (c *Charge) pricing() Decimal {
	switch {
	case c.metered():
		return Decimal{whole(c.quantity).Units, blockDigits(c.meter)}
	case c.meter == servedByCache:
		return whole(c.quantity)
	}
	return whole(1)
}

// blockDigits is the logarithm of how many units are in one PricingUnit.
func blockDigits(m price.Meter) int {
	if m.PerCall() {
		return 3
	}
	return 6
}

func (c *Charge) pricingUnit() string {
	switch m := meterOf(c.meter); {
	case c.metered():
		return fmt.Sprintf("%d %s", m.block, m.unit)
	case c.meter == servedByCache:
		return m.unit
	}
	return "Charges"
}

func (c *Charge) price(p [2]int64, nano int64) Decimal {
	switch {
	case c.metered():
		return unitPrice(c.meter, p)
	case c.meter == servedByCache:
		return whole(0)
	}
	return scaled(nano, nanoScale)
}

func (c *Charge) cost(p [2]int64, nano int64) Decimal {
	if !c.usage() {
		return scaled(nano, nanoScale)
	}
	return c.price(p, nano).Mul(c.pricing())
}

func (c *Charge) sku() string {
	return strings.Join([]string{orElse(c.dims[ledger.DimProvider], Unallocated), orElse(c.dims[ledger.DimModel], Unallocated), slug(c.meter)}, "/")
}

// skuPrice names the price: by the catalogue's rate, the tier and the length of the
// context from which it holds.
func (c *Charge) skuPrice() string {
	if !c.metered() {
		return c.sku() + "/as-charged"
	}
	id := c.sku() + "/" + c.rate + "/" + c.tier
	if c.from > 0 {
		id += fmt.Sprintf("/from-%d", c.from)
	}
	return id
}

func (c *Charge) details() string {
	m, all := meterOf(c.meter), map[string]string{}
	for name, v := range map[string]string{
		"x_ModelId": c.dims[ledger.DimModel], "x_ServiceTier": c.tier, "x_TokenDirection": m.direction, "x_TokenCacheAction": m.cache, "x_RateId": c.rate,
	} {
		if v != "" {
			all[name] = strings.ToValidUTF8(v, "\uFFFD")
		}
	}
	if c.from > 0 {
		all["x_ContextFrom"] = fmt.Sprint(c.from)
	}
	if len(all) == 0 {
		return ""
	}
	return objectText(all)
}

func (c *Charge) description() string {
	model := orElse(c.dims[ledger.DimModel], "unknown model")
	switch {
	case c.kind == record.KindPresumed:
		return orElse(c.note, "Presumed: what a lost node may have spent without a record that is left")
	case !c.usage():
		return orElse(c.note, "Correction of earlier usage")
	case c.tier != "":
		return model + ", " + meterOf(c.meter).name + ", tier " + c.tier
	}
	return model + ", " + meterOf(c.meter).name
}

// subAccount is the narrowest group that the usage belongs to.
func (c *Charge) subAccount() (id, name, kind string) {
	for _, g := range [...]struct {
		dim  ledger.Dim
		kind string
	}{{ledger.DimTeam, "Team"}, {ledger.DimProject, "Project"}, {ledger.DimOrg, "Organization"}} {
		if v := c.dims[g.dim]; v != "" {
			return ledger.DimRef{Dim: g.dim}.String() + ":" + v, v, g.kind
		}
	}
	return Unallocated, Unallocated, "Unallocated"
}

// Known are the columns of all versions.
func Known() []Column {
	list := make([]Column, len(focusFields))
	for i := range focusFields {
		list[i] = focusFields[i].Column
	}
	return list
}
