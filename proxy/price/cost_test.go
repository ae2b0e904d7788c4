package price

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"purser/ledger"
)

// TestCostOfKnownModels has costs worked out by hand from the vendors' lists.
// Dollars for a million tokens are thousands of nano-dollars for a token's
// thousandth: 2.5 USD/M is 2,500 nano-dollars a token's thousand, so 10,000
// tokens at 2.5 USD/M are 25,000,000 nano-dollars.
func TestCostOfKnownModels(t *testing.T) {
	usage := func(pairs ...int64) (u Usage) {
		for i := 0; i < len(pairs); i += 2 {
			u[pairs[i]] = pairs[i+1]
		}
		return u
	}
	for _, c := range []struct {
		what            string
		provider, model string
		date            string
		tier            Tier
		usage           Usage
		want            ledger.Amount
	}{
		{"gpt-4o-mini: 1,000 in at 0.15, 500 out at 0.60",
			"openai", "gpt-4o-mini", "2026-11-24", Standard,
			usage(int64(InputText), 1000, int64(OutputText), 500), 150_000 + 300_000},
		{"gpt-4o-mini: one cached token at 0.075 is 75 nano-dollars",
			"openai", "gpt-4o-mini", "2026-11-24", Standard, usage(int64(CacheRead), 1), 75},
		{"gpt-4o-mini priority: 0.25 in, 1.00 out",
			"openai", "gpt-4o-mini", "2026-11-24", Priority,
			usage(int64(InputText), 1000, int64(OutputText), 500), 250_000 + 500_000},
		{"gpt-5-nano: one cached token at 0.005 is 5 nano-dollars",
			"openai", "gpt-5-nano", "2026-11-24", Standard, usage(int64(CacheRead), 1), 5},
		{"gpt-5-nano flex: half of that, 2.5, rounds up",
			"openai", "gpt-5-nano", "2026-11-24", Flex, usage(int64(CacheRead), 1), 3},
		{"gpt-5: reasoning costs as output, 10.00, cached at 0.125",
			"openai", "gpt-5-2025-08-07", "2026-11-24", Standard,
			usage(int64(InputText), 1000, int64(CacheRead), 2000, int64(OutputText), 100, int64(OutputReasoning), 900),
			1_250_000 + 250_000 + 10_000_000},
		{"gpt-5: a web search is a cent, a file search a quarter",
			"openai", "gpt-5", "2026-11-24", Standard,
			usage(int64(WebSearch), 2, int64(FileSearch), 1), 20_000_000 + 2_500_000},
		{"gpt-5.4 below its threshold: 271,999 tokens at 2.50",
			"openai", "gpt-5.4", "2026-11-24", Standard,
			usage(int64(InputText), 271_999, int64(OutputText), 1000), 679_997_500 + 15_000_000},
		{"gpt-5.4 at it: all 272,000 at 5.00, the output at 22.50",
			"openai", "gpt-5.4", "2026-11-24", Standard,
			usage(int64(InputText), 272_000, int64(OutputText), 1000), 1_360_000_000 + 22_500_000},
		{"gpt-5.4: cached tokens count towards the threshold",
			"openai", "gpt-5.4", "2026-11-24", Standard,
			usage(int64(InputText), 1000, int64(CacheRead), 271_000), 5_000_000 + 135_500_000},
		{"gpt-6-sol exceeds its threshold only with 272,001",
			"openai", "gpt-6-sol", "2026-11-24", Standard, usage(int64(InputText), 272_000), 544_000_000},
		{"gpt-6-sol beyond it: 4.00",
			"openai", "gpt-6-sol", "2026-11-24", Standard, usage(int64(InputText), 272_001), 1_088_004_000},
		{"gpt-5.6-sol the day before its price fell: 5.00 and 30.00, writes at 6.25",
			"openai", "gpt-5.6-sol", "2026-08-20", Standard,
			usage(int64(InputText), 1000, int64(CacheWrite30m), 1000, int64(OutputText), 1000),
			5_000_000 + 6_250_000 + 30_000_000},
		{"gpt-5.6-sol the day it fell: 4.00, 5.00 and 20.00",
			"openai", "gpt-5.6-sol", "2026-08-21", Standard,
			usage(int64(InputText), 1000, int64(CacheWriteOther), 1000, int64(OutputText), 1000),
			4_000_000 + 5_000_000 + 20_000_000},
		{"gpt-5.6-sol priority then: twice",
			"openai", "gpt-5.6-sol", "2026-08-21", Priority,
			usage(int64(InputText), 1000, int64(OutputText), 1000), 8_000_000 + 40_000_000},
		{"text-embedding-3-small: 8,191 tokens at 0.02",
			"openai", "text-embedding-3-small", "2026-11-24", Standard, usage(int64(InputText), 8191), 163_820},
		{"gpt-4o-audio-preview: audio in at 40, out at 80",
			"openai", "gpt-4o-audio-preview-2025-06-03", "2026-11-24", Standard,
			usage(int64(AudioIn), 10, int64(AudioOut), 10), 400_000 + 800_000},
		{"claude-opus-4-5: 5m writes at 6.25, 1h at 10, reads at 0.50",
			"anthropic", "claude-opus-4-5-20251101", "2026-11-24", Standard,
			usage(int64(InputText), 100, int64(CacheWrite5m), 1000, int64(CacheWrite1h), 1000, int64(CacheRead), 1000, int64(OutputText), 10),
			500_000 + 6_250_000 + 10_000_000 + 500_000 + 250_000},
		{"gemini-2.5-pro beyond 200,000: 2.50 and 15.00",
			"google", "gemini-2.5-pro", "2026-11-24", Standard,
			usage(int64(InputText), 200_001, int64(OutputReasoning), 1000), 500_002_500 + 15_000_000},
		{"gemini-2.5-flash: audio in at 1.00, text at 0.30",
			"google", "gemini-2.5-flash", "2026-11-24", Standard,
			usage(int64(InputText), 1000, int64(AudioIn), 1000), 300_000 + 1_000_000},
		{"grok-4.6 at its threshold, which is inclusive: 4.00",
			"x-ai", "grok-4.6", "2026-11-24", Standard, usage(int64(InputText), 200_000), 800_000_000},
		{"sonar: a request has a price of its own, 12 USD for a thousand",
			"perplexity", "sonar", "2026-11-24", Standard,
			usage(int64(Requests), 1, int64(InputText), 100), 12_000_000 + 100_000},
	} {
		t.Run(c.what, func(t *testing.T) {
			r := found(t, Embedded(), c.provider, c.model, c.date)
			if got := r.Cost(&c.usage, c.tier); got != c.want {
				t.Errorf("cost is %d, want %d", got, c.want)
			}
		})
	}
}

// TestP1ExactAgainstBigIntegers also covers amounts beyond 64 bits.
func TestP1ExactAgainstBigIntegers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, tier := drawRate(t), drawTier(t)
		u := drawUsage(t, rapid.SampledFrom([]int64{30, 1 << 30, math.MaxInt64}).Draw(t, "most"))
		if tier == Auto {
			tier = Standard // the dearest tier as a whole, not meter by meter: see below
		}
		got, want := r.Cost(&u, tier), exact(r, &u, tier)
		if want.Cmp(big.NewInt(int64(got))) != 0 {
			t.Fatalf("cost of %v is %d, the twin says %s", u, got, want)
		}
	})
}

func TestAutoCostsAsTheDearestTier(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, u := drawRate(t), drawUsage(t, 60)
		var dearest ledger.Amount
		for tier := range Tier(numTiers) {
			dearest = max(dearest, r.Cost(&u, tier))
		}
		if got := r.Cost(&u, Auto); got != dearest {
			t.Fatalf("auto costs %d, the dearest tier %d", got, dearest)
		}
	})
}

// TestP2BoundIsNeverBelowCost draws the usage first and then any extent it is in.
func TestP2BoundIsNeverBelowCost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, tier, u := drawRate(t), drawTier(t), drawUsage(t, 40)
		u[Requests] = min(u[Requests], 1)
		e := Extent{
			Input:  u.TotalInput() + rapid.Int64Range(0, 30).Draw(t, "spare input"),
			Output: u.TotalOutput() + rapid.Int64Range(0, 30).Draw(t, "spare output"),
			Calls:  u[WebSearch] + u[WebFetch] + u[CodeExec] + u[FileSearch],
		}
		if rapid.Bool().Draw(t, "named meters") {
			for m, n := range u {
				if n > 0 {
					e.Meters |= Meters(Meter(m))
				}
			}
			e.Meters |= Text
		}
		bound := r.BoundOf(e, tier)
		billed := append([]*Rate{r}, r.peers...) // at whichever hour
		for _, r := range billed {
			if cost := r.Cost(&u, tier); cost > bound {
				t.Fatalf("%s: cost %d of %v is above the bound %d of %+v", r.ID, cost, u, bound, e)
			}
			if cost := r.Cost(&u, tier); r.BoundOf(e, Auto) < cost {
				t.Fatalf("%s: auto is not bounded as the dearest", r.ID)
			}
		}
		if e.Calls == 0 && e.Meters == 0 && bound != r.Bound(e.Input, e.Output, tier) {
			t.Fatal("Bound and BoundOf differ")
		}
	})
}

// TestP2BoundOfEveryEmbeddedRate puts the whole of a bound on each meter.
func TestP2BoundOfEveryEmbeddedRate(t *testing.T) {
	for _, s := range Embedded().base {
		for _, id := range s.ids {
			for _, v := range s.byID[id].versions {
				for _, r := range append([]*Rate{v.allDay}, v.daily...) {
					for _, in := range []int64{0, 1, 127_999, 200_001, 272_000, 272_001, 1_050_000} {
						checkCorners(t, r, in, 8192)
					}
				}
			}
		}
	}
}

func checkCorners(t *testing.T, r *Rate, in, out int64) {
	t.Helper()
	for tier := Standard; tier <= Auto; tier++ {
		bound := r.Bound(in, out, tier)
		for i := range Meter(NumMeters) {
			for o := range Meter(NumMeters) {
				if !Input.Has(i) || !Output.Has(o) {
					continue
				}
				var u Usage
				u[i], u[o], u[Requests] = in, out, 1
				if cost := r.Cost(&u, tier); cost > bound {
					t.Fatalf("%s %s: %d of %s and %d of %s cost %d, above the bound %d", r.ID, tier, in, i, out, o, cost, bound)
				}
			}
		}
	}
}

// TestP3MoreNeverCostsLess stays within one band, whose edges are the catalogue's.
func TestP3MoreNeverCostsLess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, tier, u := drawRate(t), drawTier(t), drawUsage(t, 40)
		m := Meter(rapid.IntRange(0, NumMeters-1).Draw(t, "meter"))
		more := u
		more[m] += rapid.Int64Range(1, 100).Draw(t, "more")
		for tier := range Tier(numTiers) {
			if r.band(tier, u.TotalInput()) != r.band(tier, more.TotalInput()) {
				t.Skip("another band")
			}
		}
		if r.Cost(&more, tier) < r.Cost(&u, tier) {
			t.Fatalf("%v costs less than %v", more, u)
		}
	})
}

// TestSumsDifferByOneRoundingAtMost: the parts of a call cost what it costs, and
// less than a nano-dollar more for each part but one.
func TestSumsDifferByOneRoundingAtMost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rate(t, Row{Prices: prices{
			"input":  rapid.Int64Range(0, 5000).Draw(t, "input"),
			"output": rapid.Int64Range(0, 5000).Draw(t, "output"),
		}})
		a, b := drawUsage(t, 1000), drawUsage(t, 1000)
		var both Usage
		for m := range both {
			both[m] = a[m] + b[m]
		}
		parts, whole := r.Cost(&a, Standard)+r.Cost(&b, Standard), r.Cost(&both, Standard)
		if parts < whole || parts > whole+1 {
			t.Fatalf("parts cost %d, the whole %d", parts, whole)
		}
	})
}

func TestTiersThatAreNotListedCostAsStandard(t *testing.T) {
	r := rate(t, Row{Prices: prices{"input": 1000, "output": 2000}}, Row{Tier: "flex", Prices: prices{"input": 500, "output": 1000}})
	u := Usage{InputText: 7, OutputText: 3}
	for tier, want := range map[Tier]ledger.Amount{Standard: 13, Flex: 7, Priority: 13, Batch: 13, Auto: 13} {
		if got := r.Cost(&u, tier); got != want {
			t.Errorf("%s costs %d, want %d", tier, got, want)
		}
	}
	for tier, want := range map[Tier]bool{Standard: true, Flex: true, Priority: false, Batch: false, Auto: true} {
		if r.Lists(tier) != want {
			t.Errorf("Lists(%s) is %t", tier, !want)
		}
	}
}

func TestTierWithoutTheThresholdCostsTheDearerBeyondIt(t *testing.T) {
	r := rate(t,
		Row{Prices: prices{"input": 1000, "output": 1000}},
		Row{ContextFrom: 100, Prices: prices{"input": 2000, "output": 1500}},
		Row{Tier: "priority", Prices: prices{"input": 1800, "output": 1800}},
		Row{Tier: "flex", Prices: prices{"input": 500, "output": 500}},
	)
	for _, c := range []struct {
		tier    Tier
		input   int64
		in, out int64
	}{
		{Priority, 99, 1800, 1800}, {Priority, 100, 2000, 1800},
		{Flex, 99, 500, 500}, {Flex, 100, 2000, 1500},
		{Auto, 99, 1800, 1800}, {Auto, 100, 2000, 1800},
	} {
		if in, out := r.Price(InputText, c.tier, c.input), r.Price(OutputText, c.tier, c.input); in != c.in || out != c.out {
			t.Errorf("%s at %d: %d and %d, want %d and %d", c.tier, c.input, in, out, c.in, c.out)
		}
	}
}

func TestMissingPricesAreTakenFromDearerMeters(t *testing.T) {
	r := rate(t,
		Row{Prices: prices{"input": 10, "cache_read": 1, "cache_write": 12, "cache_write_1h": 20, "output": 50, "web_search": 7}},
		Row{ContextFrom: 100, Prices: prices{"input": 20, "output": 60}},
		Row{Tier: "priority", Prices: prices{"input": 30}},
	)
	for _, c := range []struct {
		tier  Tier
		input int64
		want  prices
	}{
		{Standard, 0, prices{"cache_read": 1, "cache_write_5m": 12, "cache_write_30m": 12, "cache_write_1h": 20,
			"cache_write_12h": 20, "output_reasoning": 50, "audio_in": 10, "image_out": 50, "web_search": 7, "requests": 0}},
		{Standard, 100, prices{"cache_read": 20, "cache_write": 20, "cache_write_12h": 20, "audio_out": 60, "web_search": 7}},
		{Priority, 0, prices{"cache_read": 30, "output": 30, "output_reasoning": 30, "web_search": 7}},
	} {
		for name, want := range c.want {
			m, _ := ParseMeter(name)
			if got := r.Price(m, c.tier, c.input); got != want {
				t.Errorf("%s at %s and %d is %d, want %d", name, c.tier, c.input, got, want)
			}
		}
	}
	if !r.Prices(CacheRead) || r.Prices(AudioIn) || r.Prices(CodeExec) {
		t.Error("Prices does not tell listed meters from the others")
	}
}

func TestCacheWriteOfAnyLifetimeMayBeTheDearest(t *testing.T) {
	r := rate(t, Row{Prices: prices{"input": 10, "cache_write_5m": 12, "cache_write_1h": 20, "output": 1}})
	if got := r.Price(CacheWriteOther, Standard, 0); got != 20 {
		t.Errorf("a write of unstated lifetime costs %d, want 20", got)
	}
}

func TestNarrowedBoundLeavesOutOtherMeters(t *testing.T) {
	r := found(t, Embedded(), "openai", "gpt-audio", "2026-11-24")
	text, any := r.BoundOf(Extent{Input: 1000, Output: 1000, Meters: Text}, Standard), r.Bound(1000, 1000, Standard)
	if text != 12_500_000 || any != 96_000_000 {
		t.Errorf("bounds are %d and %d, want 12,500,000 and 96,000,000", text, any)
	}
}

func TestNegativeCountsAreNone(t *testing.T) {
	r := rate(t, Row{Prices: prices{"input": 1000, "output": 1000}})
	u := Usage{InputText: -5, OutputText: 3, CacheRead: math.MinInt64}
	if got := r.Cost(&u, Standard); got != 3 {
		t.Errorf("cost is %d, want 3", got)
	}
	if got := r.Bound(-1, -1, Auto); got != 0 {
		t.Errorf("bound is %d, want 0", got)
	}
}

func TestCostStopsAtTheLargestAmount(t *testing.T) {
	r := rate(t, Row{Prices: prices{"input": maxUnit, "output": maxUnit}})
	var u Usage
	for m := range u {
		u[m] = math.MaxInt64
	}
	if got := r.Cost(&u, Standard); got != ledger.MaxAmount {
		t.Errorf("cost is %d, want the largest amount", got)
	}
	if got := r.Bound(math.MaxInt64, math.MaxInt64, Auto); got != ledger.MaxAmount {
		t.Errorf("bound is %d, want the largest amount", got)
	}
	if u.TotalInput() != math.MaxInt64 || u.TotalOutput() != math.MaxInt64 {
		t.Error("totals do not stop at the largest count")
	}
}
