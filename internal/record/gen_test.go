package record

import (
	"purser/ledger"
	"purser/proxy/price"

	"pgregory.net/rapid"
)

// full is a record with every field set, each to another value. Its stored form
// is golden: never change it, add another.
func full() *Record {
	r := &Record{
		ID: "req_065bwkrx3tqk4h2nv8c0zr1ydm", At: 1_790_000_000_123_456_789,
		Endpoint: "/v1/chat/completions", Dialect: "openai", Upstream: "openai-eu", UpstreamID: "chatcmpl-9",
		Model: "gpt-5.2", Served: "gpt-5.2-2026-08-01", Tier: "priority", Stream: true,
		Outcome: Disconnected, Status: 200, Code: "none",
		Cost: 123_456_789, Hold: 130_000_000, Overrun: 7, RateID: "openai/gpt-5.2", Prices: "0a1b2c3d",
		Basis: Estimated, Bound: BoundVocabulary, Attempt: 2, Attempts: 3, Cache: CacheMiss,
		Savings: []Saving{{LeverNativeCache, 1_000}, {LeverExactCache, 2_000}},
		Admit:   11, FirstByte: 222, Total: 3333,
		Charges: []Charge{
			{Account: ledger.AccountKey{Budget: "org", Split: `acme|r\|d`, Start: 1_789_948_800_000_000_000}, Incarnation: 3, Held: 130_000_000, Spent: 123_456_789},
			{Account: ledger.AccountKey{Budget: "rpm", Start: -60_000_000_000}, Incarnation: 4_000_000_000, Held: 1, Spent: 1},
		},
	}
	for i := range r.Dims.Values {
		r.Dims.Values[i] = "value of " + ledger.Dim(i).String()
	}
	r.Dims.Tags = []ledger.Tag{{Name: "job", Value: "nightly"}, {Name: "zürich", Value: "é"}}
	for m := range r.Usage {
		r.Usage[m] = int64(m)*1000 + 1
	}
	return r
}

// fullContracted is full with what version 2 adds. It is golden too.
func fullContracted() *Record {
	r := full()
	r.List, r.Priced, r.Basis = 150_000_000, 120_000_000, ReportedCost
	return r
}

// fullRuled is fullContracted with what version 3 adds. It is golden too.
func fullRuled() *Record {
	r := fullContracted()
	r.Rulings = []Ruling{{Policy: "office", Rule: "hours", Effect: PolicyWarned}, {Policy: "trial", Rule: "cost", Effect: PolicyDenied, Shadow: true}}
	return r
}

// fullLevered is fullRuled with what version 4 adds. It is golden too.
func fullLevered() *Record {
	r := fullRuled()
	r.Baseline = 200_000_000
	r.Route = Route{Name: "smart", Strategy: "cheapest", Reason: "the cheapest that takes tools", Considered: []Considered{
		{Model: "gpt-5.2", Upstream: "openai-eu", Score: 12_345, Why: "0.0123 USD"}, {Model: "haiku", Why: "takes no pictures"},
	}, Cluster: 12, Canary: true}
	r.PromptVersion = 7
	r.Semantic = Semantic{Verdict: SemanticExplored, Reason: "guard:number", Similarity: 912_000, Probability: 994_321, Entry: 1 << 63, Bound: 8_100}
	r.Shape = Shape{Level: "lossless", Before: 4096, After: 2048, Breakpoints: 3}
	r.Fingerprint = 0xfedcba9876543210
	return r
}

// fullKnown is fullLevered with what version 5 adds. It is golden too.
func fullKnown() *Record {
	r := fullLevered()
	r.Kind, r.Corrects, r.Note = KindCorrection, "req_065bwkrx3tqk4h2nv8c0zr1ydm", "the provider's invoice says so"
	r.Step, r.Parent, r.Client, r.Credential = "plan", "planner", "openai-go/3.96", "eu-1"
	r.Trace, r.Caller = [16]byte{1, 2, 15: 3}, [8]byte{4, 7: 5}
	r.OutputCap, r.Made, r.Delivered = 4096, 9000, 8192
	r.Gist, r.Prefix = 0x0123456789abcdef, 0xfedcba9876543211
	return r
}

// records draws records such as requests write, and odder ones.
func records() *rapid.Generator[*Record] {
	text := rapid.OneOf(rapid.Just(""), rapid.SampledFrom([]string{"gpt-5", "openai", "req_", "ü"}), rapid.StringN(0, 60, MaxText))
	amount := rapid.OneOf(rapid.Just(ledger.Amount(0)), rapid.Custom(func(t *rapid.T) ledger.Amount {
		return ledger.Amount(rapid.Int64Range(-int64(ledger.MaxAmount), int64(ledger.MaxAmount)).Draw(t, "amount"))
	}))
	return rapid.Custom(func(t *rapid.T) *Record {
		r := &Record{ID: NewID(ledger.Instant(rapid.Int64Min(0).Draw(t, "born"))), At: ledger.Instant(rapid.Int64().Draw(t, "at"))}
		if rapid.Bool().Draw(t, "foreign") {
			r.ID = text.Draw(t, "id")
		}
		for _, p := range []*string{&r.Endpoint, &r.Dialect, &r.Upstream, &r.UpstreamID, &r.Model, &r.Served, &r.Tier, &r.Code, &r.RateID, &r.Prices} {
			*p = text.Draw(t, "text")
		}
		for i := range r.Dims.Values {
			r.Dims.Values[i] = text.Draw(t, "dim")
		}
		for range rapid.IntRange(0, ledger.MaxTags).Draw(t, "tags") {
			r.Dims.Tags = append(r.Dims.Tags, ledger.Tag{Name: text.Draw(t, "tag"), Value: text.Draw(t, "tag value")})
		}
		r.Stream = rapid.Bool().Draw(t, "stream")
		r.Outcome, r.Basis = Outcome(rapid.Byte().Draw(t, "outcome")), Basis(rapid.Byte().Draw(t, "basis"))
		r.Bound, r.Cache = Bound(rapid.Byte().Draw(t, "bound")), CacheState(rapid.Byte().Draw(t, "cache"))
		for m := range price.NumMeters {
			if rapid.Bool().Draw(t, "metered") {
				r.Usage[m] = rapid.Int64().Draw(t, "tokens")
			}
		}
		r.Status, r.Attempt, r.Attempts = rapid.Int().Draw(t, "status"), rapid.Int().Draw(t, "attempt"), rapid.Int().Draw(t, "attempts")
		r.Cost, r.Hold, r.Overrun = amount.Draw(t, "cost"), amount.Draw(t, "hold"), amount.Draw(t, "overrun")
		r.List, r.Priced = amount.Draw(t, "list"), amount.Draw(t, "priced")
		r.Admit, r.FirstByte, r.Total = rapid.Int64().Draw(t, "admit"), rapid.Int64().Draw(t, "first"), rapid.Int64().Draw(t, "total")
		for range rapid.IntRange(0, 4).Draw(t, "savings") {
			r.Savings = append(r.Savings, Saving{Lever(rapid.Byte().Draw(t, "lever")), amount.Draw(t, "saved")})
		}
		for range rapid.IntRange(0, 6).Draw(t, "charges") {
			r.Charges = append(r.Charges, Charge{
				Account: ledger.AccountKey{
					Budget: ledger.BudgetID(text.Draw(t, "budget")), Split: ledger.Split(text.Draw(t, "split")),
					Start: ledger.Instant(rapid.Int64().Draw(t, "start")),
				},
				Incarnation: rapid.Uint32().Draw(t, "incarnation"), Held: amount.Draw(t, "held"), Spent: amount.Draw(t, "spent"),
			})
		}
		for range rapid.IntRange(0, 3).Draw(t, "rulings") {
			r.Rulings = append(r.Rulings, Ruling{
				Policy: text.Draw(t, "policy"), Rule: text.Draw(t, "rule"),
				Effect: Effect(rapid.Byte().Draw(t, "effect")), Shadow: rapid.Bool().Draw(t, "shadow"),
			})
		}
		r.Baseline = amount.Draw(t, "baseline")
		r.Route = Route{Name: text.Draw(t, "route"), Strategy: text.Draw(t, "strategy"), Reason: text.Draw(t, "reason"), Cluster: rapid.Int64().Draw(t, "cluster"), Canary: rapid.Bool().Draw(t, "canary")}
		for range rapid.IntRange(0, 3).Draw(t, "candidates") {
			r.Route.Considered = append(r.Route.Considered, Considered{
				Model: text.Draw(t, "model"), Upstream: text.Draw(t, "upstream"), Score: rapid.Int64().Draw(t, "score"), Why: text.Draw(t, "why"),
			})
		}
		if rapid.Bool().Draw(t, "levered") {
			r.Fingerprint = rapid.Uint64().Draw(t, "fingerprint")
			r.PromptVersion = rapid.Int64().Draw(t, "prompt version")
			r.Semantic = Semantic{
				Verdict: Verdict(rapid.Byte().Draw(t, "verdict")), Reason: text.Draw(t, "why not"), Similarity: rapid.Int64().Draw(t, "similarity"),
				Probability: rapid.Int64().Draw(t, "probability"), Entry: rapid.Uint64().Draw(t, "entry"), Bound: rapid.Int64().Draw(t, "error"),
			}
			r.Kind, r.Corrects, r.Note = Kind(rapid.Byte().Draw(t, "kind")), text.Draw(t, "corrects"), text.Draw(t, "note")
			r.Step, r.Parent, r.Client, r.Credential = text.Draw(t, "step"), text.Draw(t, "parent"), text.Draw(t, "client"), text.Draw(t, "credential")
			copy(r.Trace[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "trace"))
			copy(r.Caller[:], rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "caller"))
			r.OutputCap, r.Made, r.Delivered = rapid.Int64().Draw(t, "cap"), rapid.Int64().Draw(t, "made"), rapid.Int64().Draw(t, "delivered")
			r.Gist, r.Prefix = rapid.Uint64().Draw(t, "gist"), rapid.Uint64().Draw(t, "prefix")
			r.Shape = Shape{Level: text.Draw(t, "level"), Before: rapid.Int64().Draw(t, "before"), After: rapid.Int64().Draw(t, "after"), Breakpoints: rapid.Int64().Draw(t, "breakpoints")}
		}
		return r
	})
}
