package overrides

import (
	"bufio"
	"os"
	"strings"
	"testing"

	"purser/ledger"
	"purser/proxy/price"
)

// at is 2026-11-24, and later is 2027-06-01.
const (
	at    = ledger.Instant(1_795_478_400) * ledger.Second
	later = ledger.Instant(1_811_808_000) * ledger.Second
)

// TestTheFormInThePackageCommentIsRead takes the example from doc.go.
func TestTheFormInThePackageCommentIsRead(t *testing.T) {
	c, err := Apply(price.Embedded(), "prices.yaml", example(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		model  string
		at     ledger.Instant
		tier   price.Tier
		input  int64
		id     string
		in     int64
		out    int64
		output int64
	}{
		{"gpt-5.4", at, price.Standard, 0, "openai/gpt-5.4+override%2", 1_968_750, 11_812_500, 128_000},
		{"gpt-5.4", later, price.Standard, 0, "openai/gpt-5.4+override%1,2", 1_968_750, 11_812_500, 128_000},
		{"gpt-5.4-2026-03-05", at, price.Priority, 300_000, "openai/gpt-5.4+override%2", 1_968_750, 11_812_500, 128_000},
		{"ft:gpt-4o:acme::x1", at, price.Standard, 0, "openai/our-finetune+override", 3_750_000, 15_000_000, 16_384},
		{"ft:gpt-4o:acme::x1", later, price.Standard, 200_000, "openai/our-finetune@2027-01-01+override", 3_000_000, 12_000_000, 16_384},
		{"ft:gpt-4o:acme::x1", later, price.Standard, 200_001, "openai/our-finetune@2027-01-01+override", 6_000_000, 18_000_000, 16_384},
		{"ft:gpt-4o:acme::x1", later, price.Priority, 0, "openai/our-finetune@2027-01-01+override", 6_000_000, 24_000_000, 16_384},
		{"no-such-model", at, price.Batch, 0, "openai/unpriced+override", 20_000_000, 80_000_000, 0},
		{"gpt-4o", at, price.Standard, 0, "openai/gpt-4o", 2_500_000, 10_000_000, 16_384},
	} {
		r, ok := c.Find("openai", want.model, want.at)
		if !ok {
			t.Errorf("%s has no rate", want.model)
			continue
		}
		in, out := r.Price(price.InputText, want.tier, want.input), r.Price(price.OutputText, want.tier, want.input)
		if r.ID != want.id || in != want.in || out != want.out || r.MaxOutput != want.output {
			t.Errorf("%s: %s at %d and %d, output up to %d; want %+v", want.model, r.ID, in, out, r.MaxOutput, want)
		}
	}
	for at, want := range map[ledger.Instant]int64{at: 196_875, later: 112_500} {
		r, _ := c.Find("openai", "gpt-5.4", at)
		if got, list := r.Price(price.CacheRead, price.Standard, 0), r.List().Price(price.CacheRead, price.Standard, 0); got != want || list != 225_000 {
			t.Errorf("%s: a cache read is %d of %d pico-dollars, want %d of 225000", r.ID, got, list, want)
		}
	}
}

func example(t *testing.T) []byte {
	t.Helper()
	f, err := os.Open("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b strings.Builder
	for s := bufio.NewScanner(f); s.Scan(); {
		if line, ok := strings.CutPrefix(s.Text(), "//\t"); ok {
			b.WriteString(line + "\n")
		}
	}
	return []byte(b.String())
}

func TestRegionsCallsAndHours(t *testing.T) {
	c, err := Apply(price.Embedded(), "p.yaml", []byte(`
providers:
  openai:eu:
    models:
      gpt-4o: {input_usd_per_mtok: 2.75, output_usd_per_mtok: 11, web_search_usd: 0.011}
  vllm:
    models:
      local:
        context_window: 32_768
        rates:
          - {input_usd_per_mtok: 0, output_usd_per_mtok: 0}
          - {hours: "22:00-06:00", input_usd_per_mtok: 0.000001, output_usd_per_mtok: 1e-3, requests_usd: 0.000000000001}
`))
	if err != nil {
		t.Fatal(err)
	}
	eu, ok := c.FindIn("openai", "eu", "gpt-4o-2024-11-20", at)
	if ok && eu.ID != "openai/gpt-4o" { // the other names are the base model's, which has no EU price
		t.Errorf("a name that was not given is %s", eu.ID)
	}
	eu, ok = c.FindIn("openai", "eu", "gpt-4o", at)
	if !ok || eu.ID != "openai:eu/gpt-4o+override" || eu.Price(price.WebSearch, price.Standard, 0) != 11_000_000_000 {
		t.Errorf("the EU's rate is %v", eu)
	}
	night, ok := c.Find("vllm", "local", at)
	if !ok || night.ID != "vllm/local~22:00-06:00+override" || night.ContextWindow != 32_768 {
		t.Fatalf("the rate at midnight is %v", night)
	}
	for m, want := range map[price.Meter]int64{price.InputText: 1, price.OutputText: 1000, price.Requests: 1} {
		if got := night.Price(m, price.Standard, 0); got != want {
			t.Errorf("%s at night is %d pico-dollars, want %d", m, got, want)
		}
	}
}

func TestNothingChangesNothing(t *testing.T) {
	for _, doc := range []string{"", "# only a comment\n", "---\n", "null\n", "providers: {}\n"} {
		c, err := Apply(price.Embedded(), "p.yaml", []byte(doc))
		if err != nil || c.Hash() != price.Embedded().Hash() {
			t.Errorf("%q: %v", doc, err)
		}
	}
}

func TestErrorsNameTheLineAndThePath(t *testing.T) {
	for _, c := range []struct{ doc, want string }{
		{"provider:\n  x: 1\n", "p.yaml:1: provider: is not known; there are providers and discounts"},
		{"discounts: {provider: openai}\n", "p.yaml:1: discounts: must be a list"},
		{"discounts:\n  - {provider: openai, percent_off: 5}\n  - {provider: openai, percent: 5}\n", "p.yaml:3: discounts[1].percent: is not known; there are provider, match"},
		{"discounts:\n  - {percent_off: 5}\n", "names no provider"},
		{"discounts:\n  - {provider: openai}\n", "is not a decimal number"},
		{"discounts:\n  - {provider: openai, percent_off: 0}\n", "percent_off 0 is not above 0 to 100"},
		{"discounts:\n  - {provider: openai, percent_off: 100.0001}\n", "is not above 0 to 100"},
		{"discounts:\n  - {provider: openai, percent_off: 1.00001}\n", "at most four decimals"},
		{"discounts:\n  - {provider: openai, percent_off: 5, meters: [tokens]}\n", `"tokens" is not a meter`},
		{"discounts:\n  - {provider: openai, percent_off: 5, meters: input}\n", "p.yaml:2: discounts[0].meters: must be a list"},
		{"discounts:\n  - {provider: openai, percent_off: 5, from: 2027-01-01, until: 2027-01-01}\n", "it ends on 2027-01-01, before it begins"},
		{"discounts:\n  - {provider: openai, percent_off: 5, from: soon}\n", `date "soon"`},
		{"discounts:\n  - {provider: openai, percent_off: 5, match: {regex: [\"(\"]}}\n", "missing closing"},
		{"discounts:\n  - {provider: openai, percent_off: 5, match: {except: [x]}}\n", "nothing that they are from"},
		{"- 1\n", "p.yaml:1: must be a mapping"},
		{"providers: 3\n", "p.yaml:1: providers: must be a mapping"},
		{"providers:\n  openai:\n    ceiling: 3\n", "p.yaml:3: providers.openai.ceiling: is not known; there are unpriced and models"},
		{"providers:\n  openai:\n    unpriced:\n      input_usd_per_mtok: 3\n", "p.yaml:3: providers.openai.unpriced: needs output_usd_per_mtok"},
		{"providers:\n  openai:\n    unpriced:\n      cache_read_usd_per_mtok: 3\n", "p.yaml:4: providers.openai.unpriced.cache_read_usd_per_mtok: is not known"},
		{"providers:\n  openai:\n    models:\n      m:\n        input_usd_per_mtok: cheap\n", `p.yaml:5: providers.openai.models.m.input_usd_per_mtok: "cheap" is not a decimal number`},
		{"providers:\n  openai:\n    models:\n      m:\n        input_usd_per_mtok: -1\n", `"-1" is not a decimal number`},
		{"providers:\n  openai:\n    models:\n      m:\n        input_usd_per_mtok: 0.0000001\n", "finer than a pico-dollar"},
		{"providers:\n  openai:\n    models:\n      m:\n        input_usd_per_mtok: 99999999999\n", "p.yaml:4: providers.openai.models.m: openai/m: rate openai/m+override: input price"},
		{"providers:\n  openai:\n    models:\n      m:\n        input_usd: 3\n", "p.yaml:5: providers.openai.models.m.input_usd: is not known"},
		{"providers:\n  openai:\n    models:\n      m:\n        web_search_usd_per_mtok: 3\n", "web_search_usd_per_mtok: is not known"},
		{"providers:\n  openai:\n    models:\n      m:\n        input: 3\n", "providers.openai.models.m.input: is not known"},
		{"providers:\n  openai:\n    models:\n      m: {output_usd_per_mtok: 3}\n", "p.yaml:4: providers.openai.models.m: openai/m: rate openai/m+override: a row has no price for input"},
		{"providers:\n  openai:\n    models:\n      m: {}\n", "has 0 rates"},
		{"providers:\n  openai:\n    models:\n      m:\n        input_usd_per_mtok: 3\n        input_usd_per_mtok: 3\n", "p.yaml:"},
		{"providers:\n  openai:\n    models:\n      m:\n        input_usd_per_mtok: 3\n        rates: [{input_usd_per_mtok: 3}]\n", "has both prices of its own and rates"},
		{"providers:\n  openai:\n    models:\n      m:\n        rates:\n          - {input_usd_per_mtok: 3}\n          - {tier: gold, input_usd_per_mtok: 3}\n", `tier "gold"`},
		{"providers:\n  openai:\n    models:\n      m:\n        rates:\n          - {input_usd_per_mtok: 3}\n          - colour: red\n", "p.yaml:7: providers.openai.models.m.rates[1].colour: is not known"},
		{"providers:\n  openai:\n    models:\n      m:\n        rates:\n          - {input_usd_per_mtok: 3, from: yesterday}\n", `date "yesterday" is not of the form`},
		{"providers:\n  openai:\n    models:\n      m:\n        rates:\n          - {input_usd_per_mtok: 3, context_over: 5, context_from: 6}\n", "only one of context_from and context_over"},
		{"providers:\n  openai:\n    models:\n      m:\n        rates:\n          - {input_usd_per_mtok: 3, context_over: 1.5}\n", `"1.5" is not a whole number of tokens`},
		{"providers:\n  openai:\n    models:\n      m:\n        rates: {input_usd_per_mtok: 3}\n", "p.yaml:5: providers.openai.models.m.rates: must be a list"},
		{"providers:\n  openai:\n    models:\n      m:\n        match: {like: [x]}\n        input_usd_per_mtok: 3\n", "p.yaml:5: providers.openai.models.m.match.like: is not known"},
		{"providers:\n  openai:\n    models:\n      m:\n        match: {prefix: x}\n        input_usd_per_mtok: 3\n", "match.prefix: must be a list"},
		{"providers:\n  openai:\n    models:\n      m:\n        match: {regex: [\"(\"]}\n        input_usd_per_mtok: 3\n", "missing closing"},
		{"providers:\n  openai:\n    models:\n      m:\n        tokenizer: bpe\n        input_usd_per_mtok: 3\n", `tokenizer "bpe"`},
		{"providers:\n  openai:\n    models:\n      m:\n        source: [a]\n        input_usd_per_mtok: 3\n", "source: must be a single value"},
		{"providers:\n  a/b:\n    models:\n      m: {input_usd_per_mtok: 3}\n", "p.yaml:4: providers.a/b.models.m"},
		{"providers:\n  openai: [\n", "p.yaml: ["},
		{"providers: {}\n---\nproviders: {}\n", "more than one document"},
	} {
		_, err := Apply(price.Embedded(), "p.yaml", []byte(c.doc))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q\n  gives %v\n  want  %q", c.doc, err, c.want)
		}
	}
}

func TestEverythingThatIsWrongIsReported(t *testing.T) {
	_, err := Apply(price.Embedded(), "p.yaml", []byte("providers:\n  openai:\n    one: 1\n    models:\n      m: {two: 2}\n"))
	if err == nil || !strings.Contains(err.Error(), "openai.one") || !strings.Contains(err.Error(), "m.two") {
		t.Errorf("error is %v", err)
	}
	_, err = Apply(price.Embedded(), "p.yaml", []byte(`providers:
  openai:
    unpriced: {input_usd_per_mtok: 1}
    models:
      a: {two: 2}
      b: {output_usd_per_mtok: 3}
      c: {input_usd_per_mtok: 3, tokenizer: bpe}
discounts:
  - {provider: openai, percent: 3}
  - {provider: openai, percent_off: 300}
`))
	for _, want := range []string{":3: ", ":5: ", ":6: ", ":7: ", ":9: ", ":10: "} {
		if err == nil || strings.Count(err.Error(), "p.yaml"+want) != 1 {
			t.Errorf("there is not one error of the line%s%v", want, err)
		}
	}
}

func FuzzApply(f *testing.F) {
	f.Add("providers:\n  openai:\n    unpriced: {input_usd_per_mtok: 1, output_usd_per_mtok: 2}\n    models:\n      m: {input_usd_per_mtok: 3}\n")
	f.Add("a: &x {b: 1}\nc: *x\n<<: *x\n? [1]\n: 2\n")
	f.Fuzz(func(t *testing.T, doc string) {
		c, err := Apply(price.Embedded(), "p.yaml", []byte(doc))
		if err == nil && c == nil {
			t.Fatal("neither a catalogue nor an error")
		}
	})
}
