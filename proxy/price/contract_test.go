package price

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"purser/ledger"

	"pgregory.net/rapid"
)

func discounted(t interface {
	Helper()
	Fatal(...any)
}, list ...Discount) *Catalogue {
	t.Helper()
	c, err := Embedded().WithDiscounts(list)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustFind(t *testing.T, c *Catalogue, provider, region, model string, at ledger.Instant) *Rate {
	t.Helper()
	r, ok := c.FindIn(provider, region, model, at)
	if !ok {
		t.Fatalf("%s has no %s", provider, model)
	}
	return r
}

func on(day string) ledger.Instant {
	at, err := parseDate(day)
	if err != nil {
		panic(err)
	}
	return at
}

// TestAContractedCostIsTheExactOneRoundedUpOnce compares with rationals.
func TestAContractedCostIsTheExactOneRoundedUpOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		percents := map[Meter]string{}
		var list []Discount
		for _, m := range []Meter{InputText, CacheRead, OutputText, WebSearch} {
			n := rapid.Int64Range(1, 1_000_000).Draw(t, "percent in ten-thousandths")
			percents[m] = fmt.Sprintf("%d.%04d", n/10_000, n%10_000)
			list = append(list, Discount{Provider: "anthropic", Meters: []string{m.String()}, Percent: percents[m]})
		}
		c := discounted(t, list...)
		model := rapid.SampledFrom([]string{"claude-sonnet-4-5", "claude-opus-4-8", "claude-3-5-haiku-latest"}).Draw(t, "model")
		r, ok := c.Find("anthropic", model, on("2026-11-24"))
		if !ok {
			t.Fatal("no rate")
		}
		var u Usage
		for m := range u {
			u[m] = rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(0, 3_000_000)).Draw(t, "count")
		}
		tier := rapid.SampledFrom([]Tier{Standard, Flex, Priority, Batch}).Draw(t, "tier")
		exact := new(big.Rat)
		for m, n := range u {
			unit := big.NewRat(r.List().Price(Meter(m), tier, u.TotalInput()), 1000)
			if p := percents[Meter(m)]; p != "" {
				off, _ := new(big.Rat).SetString(p)
				unit.Mul(unit, off.Sub(big.NewRat(1, 1), off.Mul(off, big.NewRat(1, 100))))
			}
			exact.Add(exact, unit.Mul(unit, big.NewRat(n, 1)))
		}
		want := new(big.Int).Div(new(big.Int).Add(exact.Num(), new(big.Int).Sub(exact.Denom(), big.NewInt(1))), exact.Denom())
		if got := r.Cost(&u, tier); want.Cmp(big.NewInt(int64(got))) != 0 {
			t.Fatalf("%s costs %d, exactly %s", r.ID, got, want)
		}
		e := Extent{Input: u.TotalInput(), Output: u.TotalOutput(), Calls: u.total(Calls)}
		u[Requests] = min(u[Requests], 1)
		if cost, bound := r.Cost(&u, tier), r.BoundOf(e, tier); cost > bound {
			t.Fatalf("%s: cost %d is above its bound %d", r.ID, cost, bound)
		}
		if list := r.List(); list == r || list.Cost(&u, tier) < r.Cost(&u, tier) {
			t.Fatalf("the list rate of %s is %s", r.ID, list.ID)
		}
	})
}

func TestWhichDiscountCounts(t *testing.T) {
	c := discounted(t,
		Discount{Provider: "openai", Match: Match{Equals: []string{"GPT-5.4"}}, Meters: []string{"input"}, Percent: "50", From: "2027-01-01", Until: "2027-07-01"},
		Discount{Provider: "openai", Match: Match{Prefix: []string{"gpt-5"}, Except: []string{"mini"}}, Percent: "10"},
		Discount{Provider: "openai", Region: "eu", Meters: []string{"output"}, Percent: "100"},
		Discount{Provider: "azure", Percent: "20"},
	)
	const now, later, after = "2026-11-24", "2027-03-01", "2027-07-01"
	for _, x := range []struct {
		provider, region, model, day, id string
		in, out                          int64 // for a million, in pico-dollars of one
	}{
		{"openai", "", "gpt-5.4", now, "openai/gpt-5.4%2", 2_250_000, 13_500_000},
		{"openai", "", "gpt-5.4-2026-03-05", now, "openai/gpt-5.4%2", 2_250_000, 13_500_000},
		{"openai", "", "gpt-5.4", later, "openai/gpt-5.4%1,2", 1_250_000, 13_500_000},
		{"openai", "", "gpt-5.4-2026-03-05", later, "openai/gpt-5.4%1,2", 1_250_000, 13_500_000}, // the catalogue's name is covered
		{"openai", "", "gpt-5.4", after, "openai/gpt-5.4%2", 2_250_000, 13_500_000},
		{"openai", "", "gpt-5.4-mini", later, "openai/gpt-5.4-mini", 750_000, 4_500_000},
		{"openai", "", "gpt-4o", later, "openai/gpt-4o", 2_500_000, 10_000_000},
		{"openai", "eu", "gpt-4o", later, "openai/gpt-4o%3", 2_500_000, 0},
		{"openai", "eu", "gpt-5.4", now, "openai:eu/gpt-5.4%2", 2_475_000, 14_850_000},
		{"azure", "", "gpt-5.4", later, "openai/gpt-5.4%4", 2_000_000, 12_000_000}, // sold at OpenAI's price, not on its contract
	} {
		r := mustFind(t, c, x.provider, x.region, x.model, on(x.day))
		in, out := r.Price(InputText, Standard, 0), r.Price(OutputText, Standard, 0)
		if r.ID != x.id || in != x.in || out != x.out {
			t.Errorf("%s %s %s on %s: %s at %d and %d, want %+v", x.provider, x.region, x.model, x.day, r.ID, in, out, x)
		}
		if again := mustFind(t, c, x.provider, x.region, x.model, on(x.day)); again != r {
			t.Errorf("%s is another rate when it is asked for again", r.ID)
		}
	}
	if mustFind(t, c, "openai", "", "gpt-5.4", on(now)).Until != on("2027-01-01") {
		t.Error("the rate does not end where the next discount begins")
	}
}

// TestCallersNamesShareTheirContractedRate: names cost memory once, whoever makes them up.
func TestCallersNamesShareTheirContractedRate(t *testing.T) {
	c := discounted(t, Discount{Provider: "anthropic", Percent: "15"})
	first := mustFind(t, c, "anthropic", "", "claude-sonnet-4-5", on("2026-11-24"))
	for i := range 3 * maxMemo {
		if r := mustFind(t, c, "anthropic", "", fmt.Sprintf("claude-sonnet-4-5-x%d", i), on("2026-11-24")); r != first {
			t.Fatalf("name %d has a rate of its own", i)
		}
	}
	if len(c.agreed) != 1 {
		t.Errorf("%d contracted models are kept", len(c.agreed))
	}
}

func TestHoursOfTheDayKeepTheirDiscount(t *testing.T) {
	base, err := Embedded().With([]Model{{Provider: "vllm", ID: "m", Rates: []Row{
		{Prices: map[string]int64{"input": 1000, "output": 2000}},
		{Daily: "22:00-06:00", Prices: map[string]int64{"input": 3000, "output": 6000}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := base.WithDiscounts([]Discount{{Provider: "vllm", Percent: "33.3333"}})
	if err != nil {
		t.Fatal(err)
	}
	noon, night := mustFind(t, c, "vllm", "", "m", on("2026-11-24")+12*ledger.Hour), mustFind(t, c, "vllm", "", "m", on("2026-11-24"))
	if noon.ID != "vllm/m+override%1" || night.ID != "vllm/m~22:00-06:00+override%1" {
		t.Errorf("the rates are %s and %s", noon.ID, night.ID)
	}
	u := Usage{InputText: 1000, OutputText: 1000}
	if bound := noon.Bound(1000, 1000, Standard); bound < night.Cost(&u, Standard) {
		t.Errorf("the bound at noon, %d, is below the cost at night, %d", bound, night.Cost(&u, Standard))
	}
	if got, want := night.Cost(&u, Standard), ledger.Amount(6001); got != want { // 9,000 × 0.666667, and up
		t.Errorf("the night costs %d, want %d", got, want)
	}
}

func TestDiscountsAreInTheHashAndNotOnCeilings(t *testing.T) {
	ceiling, err := Embedded().With([]Model{{Provider: "openai", ID: "unpriced", Ceiling: true, Rates: []Row{{Prices: map[string]int64{"input": 20, "output": 80}}}}})
	if err != nil {
		t.Fatal(err)
	}
	half, err := ceiling.WithDiscounts([]Discount{{Provider: "openai", Percent: "50"}})
	if err != nil {
		t.Fatal(err)
	}
	if r := mustFind(t, half, "openai", "", "nobody-knows", on("2026-11-24")); r.ID != "openai/unpriced+override" {
		t.Errorf("the ceiling is %s", r.ID)
	}
	third := discounted(t, Discount{Provider: "openai", Percent: "30"})
	none, err := half.WithDiscounts(nil)
	if err != nil {
		t.Fatal(err)
	}
	if half.Hash() == ceiling.Hash() || half.Hash() == third.Hash() || none.Hash() != ceiling.Hash() || len(none.Discounts()) != 0 {
		t.Error("the hash does not follow the discounts")
	}
}

func TestDiscountsThatCannotBeTakenExactlyAreRefused(t *testing.T) {
	dear, err := Embedded().With([]Model{{Provider: "x", ID: "m", Rates: []Row{{Prices: map[string]int64{"input": maxUnit, "output": maxUnit}}}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dear.WithDiscounts([]Discount{{Provider: "x", Percent: "12.5"}}); err != nil {
		t.Errorf("an eighth: %v", err)
	}
	fine := []Discount{{Provider: "x", Percent: "0.0001"}}
	if _, err := dear.WithDiscounts(fine); err == nil || !strings.Contains(err.Error(), "fewer decimals") {
		t.Errorf("a millionth of a dear price: %v", err)
	}
	c, err := Embedded().WithDiscounts(fine)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.With([]Model{{Provider: "x", ID: "m", Rates: []Row{{Prices: map[string]int64{"input": maxUnit}}}}}); err == nil {
		t.Error("a dear price under a millionth is taken")
	}
	if _, err := Embedded().WithDiscounts(make([]Discount, maxDiscounts+1)); err == nil {
		t.Error("too many discounts are taken")
	}
}

func TestContractedCostsDoNotAllocate(t *testing.T) {
	c := discounted(t, Discount{Provider: "openai", Percent: "12.5"})
	at := on("2026-11-24")
	mustFind(t, c, "openai", "", "gpt-5.4", at)
	u := Usage{InputText: 1000, OutputText: 100}
	if n := testing.AllocsPerRun(100, func() {
		r, _ := c.Find("openai", "gpt-5.4", at)
		if r.Cost(&u, Standard) > r.Bound(1000, 100, Standard) {
			t.Error("above its bound")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
