package focus

import (
	"purser/ledger"
)

// cbfFields are the columns of CloudZero's Common Bill Format. Required are the start of
// usage and the cost; an id of a resource is needed where there are tags.
var cbfFields = []field[Charge]{
	{Column{Name: "lineitem/type"}, func(c *Charge) Cell { return text(c.category()) }},
	{Column{Name: "lineitem/description"}, func(c *Charge) Cell { return text(c.description()) }},
	{Column{Name: "time/usage_start", Type: Time}, func(c *Charge) Cell { return instant(c.start) }},
	{Column{Name: "time/usage_end", Type: Time}, func(c *Charge) Cell { return instant(c.end) }},
	{Column{Name: "resource/id"}, func(c *Charge) Cell { return text(c.resource()) }},
	{Column{Name: "resource/service"}, func(c *Charge) Cell { return text(c.provider() + " API") }},
	{Column{Name: "resource/account"}, func(c *Charge) Cell { return text(orElse(c.upstream, Unallocated)) }},
	{Column{Name: "resource/region"}, func(c *Charge) Cell { return text(c.region) }},
	{Column{Name: "resource/usage_family"}, func(c *Charge) Cell { return text(meterOf(c.meter).name) }},
	{Column{Name: "usage/amount", Type: Number, Scale: quantityScale}, func(c *Charge) Cell { return when(c.usage(), count(c.quantity)) }},
	{Column{Name: "usage/units"}, func(c *Charge) Cell { return text(meterOf(c.meter).unit) }},
	{Column{Name: "cost/cost", Type: Number, Scale: nanoScale}, func(c *Charge) Cell { return dollars(c.billed) }},
	{Column{Name: "cost/on_demand_cost", Type: Number, Scale: attoScale}, func(c *Charge) Cell { return number(c.cost([2]int64{c.list, 1}, c.listed)) }},
	{Column{Name: "resource/tag:org"}, owner(ledger.DimOrg)},
	{Column{Name: "resource/tag:team"}, owner(ledger.DimTeam)},
	{Column{Name: "resource/tag:project"}, owner(ledger.DimProject)},
	{Column{Name: "resource/tag:member"}, owner(ledger.DimMember)},
	{Column{Name: "resource/tag:customer"}, owner(ledger.DimCustomer)},
	{Column{Name: "resource/tag:feature"}, owner(ledger.DimFeature)},
	{Column{Name: "resource/tag:agent"}, dim(ledger.DimAgent)},
	{Column{Name: "resource/tag:env"}, dim(ledger.DimEnv)},
	{Column{Name: "resource/tag:key"}, dim(ledger.DimKey)},
	{Column{Name: "resource/tag:model"}, dim(ledger.DimModel)},
	{Column{Name: "resource/tag:cost_basis"}, func(c *Charge) Cell { return when(c.basis != 0, text(c.basis.String())) }},
	{Column{Name: "resource/tag:record_kind"}, func(c *Charge) Cell { return text(c.kind.String()) }},
}

// CBF is CloudZero's Common Bill Format.
func CBF() *Table[Charge] { return &Table[Charge]{Name: "cbf", fields: cbfFields} }

// resource names what was used: a model at an upstream.
func (c *Charge) resource() string {
	return orElse(c.upstream, Unallocated) + "/" + orElse(c.dims[ledger.DimModel], Unallocated)
}

// vantageFields are those of FOCUS that Vantage's custom providers take. Only what is
// charged is in the file: it has no columns of our own.
var vantageFields = []field[Charge]{
	{Column{Name: "ChargePeriodStart", Type: Time}, func(c *Charge) Cell { return instant(c.start) }},
	{Column{Name: "ChargePeriodEnd", Type: Time}, func(c *Charge) Cell { return instant(c.end) }},
	{Column{Name: "ChargeCategory"}, func(c *Charge) Cell { return text(c.vantageCategory()) }},
	{Column{Name: "BilledCost", Type: Number, Scale: nanoScale}, func(c *Charge) Cell { return dollars(c.billed) }},
	{Column{Name: "BillingCurrency"}, func(*Charge) Cell { return text("USD") }},
	{Column{Name: "ConsumedQuantity", Type: Number, Scale: quantityScale}, func(c *Charge) Cell { return when(c.usage(), count(c.quantity)) }},
	{Column{Name: "ConsumedUnit"}, func(c *Charge) Cell { return when(c.usage(), text(meterOf(c.meter).unit)) }},
	{Column{Name: "RegionId"}, func(c *Charge) Cell { return text(c.region) }},
	{Column{Name: "ResourceId"}, func(c *Charge) Cell { return text(c.resource()) }},
	{Column{Name: "ResourceType"}, func(c *Charge) Cell { return text(orElse(meterOf(c.meter).name, "Adjustment")) }},
	{Column{Name: "ServiceCategory"}, func(*Charge) Cell { return text("AI and Machine Learning") }},
	{Column{Name: "ServiceName"}, func(c *Charge) Cell { return text(c.provider() + " API") }},
	{Column{Name: "SubAccountId"}, func(c *Charge) Cell { id, _, _ := c.subAccount(); return text(id) }},
	{Column{Name: "SubAccountName"}, func(c *Charge) Cell { _, name, _ := c.subAccount(); return text(name) }},
	{Column{Name: "Tags", Type: JSON}, func(c *Charge) Cell { return text(c.tags()) }},
}

// Vantage is the CSV of Vantage's custom providers.
func Vantage() *Table[Charge] { return &Table[Charge]{Name: "vantage", fields: vantageFields} }

// vantageCategory is one of those that Vantage knows: it has no adjustments.
func (c *Charge) vantageCategory() string {
	if !c.usage() && c.billed < 0 {
		return "Credit"
	}
	return "Usage"
}
