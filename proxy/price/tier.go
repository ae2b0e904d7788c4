package price

// Tier is the service tier a call is asked for, or billed at.
type Tier uint8

// The tiers. Auto is a question left to the provider: it bounds, and costs, as
// the dearest tier the model lists.
const (
	Standard Tier = iota
	Flex
	Priority
	Batch
	Auto
)

// numTiers is how many tiers have prices of their own.
const numTiers = int(Auto)

var tierNames = [...]string{Standard: "standard", Flex: "flex", Priority: "priority", Batch: "batch", Auto: "auto"}

// String is the tier's name: "standard", "flex", "priority", "batch", "auto".
func (t Tier) String() string {
	if int(t) < len(tierNames) {
		return tierNames[t]
	}
	return "tier(?)"
}

// ParseTier reads a tier as providers write it in requests and in answers.
// "default" and "on_demand" are the standard tier, "fast" is billed as
// priority, and "scale" is prepaid capacity, which has no price per token and
// is costed as standard. The empty string is Auto: what a request that names no
// tier is served at is the provider's choice. An unknown name is Auto and false.
func ParseTier(name string) (Tier, bool) {
	switch name {
	case "standard", "default", "on_demand", "scale":
		return Standard, true
	case "flex":
		return Flex, true
	case "priority", "fast":
		return Priority, true
	case "batch":
		return Batch, true
	case "", "auto":
		return Auto, true
	}
	return Auto, false
}
