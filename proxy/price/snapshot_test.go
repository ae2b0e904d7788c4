package price

import (
	"bytes"
	"strings"
	"testing"

	"purser/ledger"
)

func TestEmbeddedSnapshotIsCanonical(t *testing.T) {
	s, err := decode(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(s.Encode(), snapshot) {
		t.Error("the embedded snapshot is not as Encode writes it; run make prices")
	}
	if longest := longestLine(snapshot); longest > 1000 {
		t.Errorf("a line of %d bytes is no line to compare", longest)
	}
	for _, p := range []string{"openai", "anthropic", "google"} {
		if len(Embedded().Models(p)) < 20 {
			t.Errorf("%s has %d models", p, len(Embedded().Models(p)))
		}
	}
}

func longestLine(data []byte) (n int) {
	for line := range bytes.Lines(data) {
		n = max(n, len(line))
	}
	return n
}

func TestLimitsOfOpenAIModels(t *testing.T) {
	for model, want := range map[string]struct {
		window, output int64
		tokenizer      string
	}{
		"gpt-6-sol":         {1_050_000, 128_000, "o200k"},
		"gpt-5.6-luna":      {1_050_000, 128_000, "o200k"},
		"gpt-5-chat-latest": {128_000, 16_384, "o200k"},
		"gpt-5":             {400_000, 128_000, "o200k"},
		"gpt-4.1-nano":      {1_047_576, 32_768, "o200k"},
		"gpt-4o":            {128_000, 16_384, "o200k"},
		"o3":                {200_000, 100_000, "o200k"},
		"gpt-3.5-turbo":     {16_385, 4096, "cl100k"},
		"gpt-5.4-image-2":   {0, 0, ""},
	} {
		r := found(t, Embedded(), "openai", model, "2026-11-24")
		if r.ContextWindow != want.window || r.MaxOutput != want.output || r.Tokenizer != want.tokenizer {
			t.Errorf("%s: window %d, output %d, tokenizer %q; want %+v", model, r.ContextWindow, r.MaxOutput, r.Tokenizer, want)
		}
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	model := func(m string) string {
		return `{"version":1,"source":"","providers":[{"provider":"p"}],"models":[` + m + `]}`
	}
	rates := func(rows string) string { return model(`{"provider":"p","model":"m","rates":[` + rows + `]}`) }
	for _, c := range []struct{ in, want string }{
		{``, "decoding"},
		{`{"version":2}`, "format 2 is not 1"},
		{`{"version":1,"surprise":1}`, `unknown field "surprise"`},
		{model(``) + `x`, "more after its end"},
		{`{"version":1,"providers":[{"provider":"p"},{"provider":"p"}]}`, "listed twice"},
		{`{"version":1,"providers":[{"provider":"p","fallback":["q"]}]}`, `falls back to "q"`},
		{model(`{"provider":"q","model":"m","rates":[{"pico_usd":{"input":1}}]}`), `"q" has models but is not listed`},
		{model(`{"provider":"p","model":"","rates":[{"pico_usd":{"input":1}}]}`), "model name"},
		{model(`{"provider":"p","model":"m","rates":[]}`), "0 rates"},
		{model(`{"provider":"p","model":"m","tokenizer":"bpe","rates":[{"pico_usd":{"input":1}}]}`), `tokenizer "bpe"`},
		{model(`{"provider":"p","model":"m","max_output":-1,"rates":[{"pico_usd":{"input":1}}]}`), "negative"},
		{model(`{"provider":"p","model":"m","match":{"regex":["("]},"rates":[{"pico_usd":{"input":1}}]}`), "missing closing"},
		{model(`{"provider":"p","model":"m","match":{"prefix":[""]},"rates":[{"pico_usd":{"input":1}}]}`), "empty"},
		{model(strings.Repeat(`{"provider":"p","model":"m","rates":[{"pico_usd":{"input":1}}]},`, 2) +
			`{"provider":"p","model":"n","rates":[{"pico_usd":{"input":1}}]}`), `"m" is listed twice`},
		{rates(`{"pico_usd":{}}`), "no price for input"},
		{rates(`{"pico_usd":{"inputs":1}}`), `"inputs" is not a meter`},
		{rates(`{"pico_usd":{"input":-1}}`), "is not 0 to"},
		{rates(`{"pico_usd":{"input":1.5}}`), "decoding"},
		{rates(`{"pico_usd":{"input":1000000000000001}}`), "is not 0 to"},
		{rates(`{"tier":"auto","pico_usd":{"input":1}}`), `tier "auto"`},
		{rates(`{"tier":"gold","pico_usd":{"input":1}}`), `tier "gold"`},
		{rates(`{"tier":"flex","pico_usd":{"input":1}}`), "no row for the standard tier"},
		{rates(`{"context_from":5,"pico_usd":{"input":1}}`), "no row from context 0"},
		{rates(`{"context_from":-5,"pico_usd":{"input":1}}`), "context_from -5"},
		{rates(`{"pico_usd":{"input":1}},{"pico_usd":{"input":1}}`), "two rows from context 0"},
		{rates(`{"from":"2026-02-30","pico_usd":{"input":1}}`), `"2026-02-30"`},
		{rates(`{"from":"2026-02-20","until":"2026-02-20","pico_usd":{"input":1}}`), "ends before it begins"},
		{rates(`{"pico_usd":{"input":1}},{"until":"2026-01-01","pico_usd":{"input":1}}`), "begin at the same time"},
		{rates(`{"daily":"01:00-02:00","pico_usd":{"input":1}}`), "none for the rest of the day"},
		{rates(`{"pico_usd":{"input":1}},{"daily":"01:00-03:00","pico_usd":{"input":1}},{"daily":"02:00-04:00","pico_usd":{"input":1}}`), "overlap"},
		{rates(`{"pico_usd":{"input":1}},{"daily":"1:00-3:00","pico_usd":{"input":1}}`), "hours"},
	} {
		_, err := Parse([]byte(c.in))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\n  gives %v, want %q", c.in, err, c.want)
		}
	}
}

func TestWithRefusesTwoOfOne(t *testing.T) {
	m := Model{Provider: "acme", ID: "m", Rates: flat(1)}
	if _, err := Embedded().With([]Model{m, m}); err == nil || !strings.Contains(err.Error(), "given twice") {
		t.Errorf("error is %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"version":1,"source":"s","providers":[{"provider":"p","fallback":["p"]}],"models":[` +
		`{"provider":"p","model":"m","match":{"prefix":["m"],"except":["x$"]},"rates":[` +
		`{"pico_usd":{"input":1,"output":2}},{"tier":"flex","pico_usd":{"input":1}},` +
		`{"context_from":9,"pico_usd":{"input":3}},{"daily":"23:00-01:00","pico_usd":{"input":5}}]}]}`))
	f.Add(snapshot[:2000])
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data)
		if err != nil {
			return
		}
		s, err := decode(data)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(s.Encode())
		if err != nil || again.Hash() != c.Hash() {
			t.Fatalf("the canonical form has hash %v, not %v, or error %v", again, c, err)
		}
		u := Usage{InputText: 8, CacheRead: 1, OutputText: 3, WebSearch: 1, Requests: 1}
		for _, p := range c.Providers() {
			for _, id := range c.Models(p) {
				for _, at := range []ledger.Instant{-1, 0, 1 << 60} {
					r, ok := c.Find(p, id, at)
					if !ok {
						continue
					}
					for tier := Standard; tier <= Auto; tier++ {
						if r.Cost(&u, tier) > r.BoundOf(Extent{Input: 9, Output: 3, Calls: 1}, tier) {
							t.Fatalf("%s costs more than its bound at %s", r.ID, tier)
						}
					}
				}
			}
		}
	})
}

// TestModelsThatSearchWithEveryCallHoldTheFee: the provider's answer says nothing
// of the search, so the fee must be in every bound and every cost.
func TestModelsThatSearchWithEveryCallHoldTheFee(t *testing.T) {
	for model, fee := range map[string]ledger.Amount{"gpt-4o-mini-search-preview": 30_000_000, "gpt-4o-search-preview-2025-03-11": 50_000_000} {
		r := found(t, Embedded(), "openai", model, "2026-11-24")
		if got := r.Bound(0, 0, Standard); got != fee {
			t.Errorf("%s: a call of no tokens holds %d, want %d", model, got, fee)
		}
		if got := r.Cost(&Usage{Requests: 1}, Standard); got != fee {
			t.Errorf("%s: a call of no tokens costs %d, want %d", model, got, fee)
		}
	}
}
