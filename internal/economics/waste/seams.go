package waste

import (
	"purser/internal/record"
	"purser/proxy/price"
)

// Prices know what calls cost.
type Prices interface {
	// Terms are what the call of a record was priced by.
	Terms(*record.Record) Terms
}

// Terms are what a call was priced by.
type Terms struct {
	Rate     *price.Rate // nil where it is not known: no part of its cost can be priced
	Tier     price.Tier
	Shortest int64 // beginning of a prompt, in tokens, that the provider's cache keeps
}
