package openai

import (
	"purser/ledger"
	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/price"
)

// bill is what a usage says that the call cost, as OpenRouter does: cost is what
// its account was charged, in dollars. Where the operator's own key at the
// provider was used, cost is OpenRouter's fee alone, and the provider charges
// upstream_inference_cost besides.
type bill struct {
	cost, inference []byte // decimals as they are written, nil when absent
	ownKey          bool
	bad             bool // something under these names is not what it should be
}

// has says whether the member name of in is one of the bill's.
func (b *bill) has(in usagePart, name []byte) bool {
	switch string(name) {
	case "cost", "is_byok":
		return in == usageWhole
	case "upstream_inference_cost":
		return in == usageCost
	}
	return false
}

func (b *bill) read(cur *jsonscan.Cursor, k jsonscan.Kind, name []byte) error {
	switch {
	case string(name) == "is_byok" && k == jsonscan.Bool:
		own, err := cur.Bool()
		b.ownKey = b.ownKey || own
		return err
	case string(name) != "is_byok" && k == jsonscan.Number:
		start, end, err := cur.Number()
		if err != nil {
			return err
		}
		to := &b.cost
		if string(name) != "cost" {
			to = &b.inference
		}
		b.bad = b.bad || *to != nil && string(*to) != string(cur.Doc[start:end])
		*to = cur.Doc[start:end]
		return nil
	}
	b.bad = true
	return cur.Skip()
}

// amount is the bill in nano-dollars, each part read exactly and rounded up.
func (b *bill) amount() (dialect.CostState, ledger.Amount) {
	const nano = 9 // digits of a dollar
	switch {
	case b.bad:
		return dialect.CostUnusable, 0
	case b.cost == nil:
		return dialect.CostMissing, 0
	case b.ownKey && b.inference == nil:
		return dialect.CostUnusable, 0 // the fee alone: most of the cost is not told
	}
	sum, _, err := price.Decimal(string(b.cost), nano)
	if err == nil && b.ownKey {
		var more int64
		more, _, err = price.Decimal(string(b.inference), nano)
		sum += more
	}
	if err != nil || sum > int64(ledger.MaxAmount) {
		return dialect.CostUnusable, 0
	}
	return dialect.CostReported, ledger.Amount(sum)
}
