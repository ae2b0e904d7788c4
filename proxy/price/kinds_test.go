package price

import (
	"strings"
	"testing"

	"purser/ledger"
)

// TestTheSnapshotHasEveryKindOfPrice: what a price can depend on is not only in
// the types, but in what make prices makes.
func TestTheSnapshotHasEveryKindOfPrice(t *testing.T) {
	c, at := Embedded(), on("2026-11-24")
	u := func(provider, region, model string) *Rate { return mustFind(t, c, provider, region, model, at) }
	for _, x := range []struct {
		what          string
		dear, cheap   *Rate
		dearT, cheapT Tier
		dearM, cheapM Meter
		input         int64 // of dear
	}{
		{"priority over standard", u("openai", "", "gpt-5.4"), u("openai", "", "gpt-5.4"), Priority, Standard, InputText, InputText, 0},
		{"standard over flex", u("google", "", "gemini-2.5-pro"), u("google", "", "gemini-2.5-pro"), Standard, Flex, OutputText, OutputText, 0},
		{"standard over batch", u("openai", "", "gpt-5.4"), u("openai", "", "gpt-5.4"), Standard, Batch, OutputText, OutputText, 0},
		{"a region over none", u("anthropic", "us", "claude-opus-4-8"), u("anthropic", "", "claude-opus-4-8"), Standard, Standard, InputText, InputText, 0},
		{"a cache write for an hour over one for minutes", u("anthropic", "", "claude-opus-4-8"), u("anthropic", "", "claude-opus-4-8"), Standard, Standard, CacheWrite1h, CacheWrite5m, 0},
		{"a long context over a short one", u("openai", "", "gpt-5.4"), u("openai", "", "gpt-5.4"), Standard, Standard, InputText, InputText, 300_000},
		{"a fee for the request over none", u("perplexity", "", "sonar"), u("openai", "", "gpt-5.4"), Standard, Standard, Requests, Requests, 0},
		{"a search over a file's", u("openai", "", "gpt-5.4"), u("openai", "", "gpt-5.4"), Standard, Standard, WebSearch, FileSearch, 0},
	} {
		dear, cheap := x.dear.Price(x.dearM, x.dearT, x.input), x.cheap.Price(x.cheapM, x.cheapT, 0)
		if dear <= cheap {
			t.Errorf("%s: %d is not above %d", x.what, dear, cheap)
		}
	}
}

// TestModelsThatAlwaysSearchHaveAFee: their price for tokens is not all they cost,
// whoever sells them.
func TestModelsThatAlwaysSearchHaveAFee(t *testing.T) {
	found := 0
	for _, provider := range []string{"openai", "openrouter", "perplexity"} {
		for _, id := range Embedded().Models(provider) {
			_, name, _ := strings.Cut("/"+id, "/")
			name = name[strings.LastIndexByte(name, '/')+1:]
			if !strings.HasSuffix(name, "search-preview") && !strings.HasPrefix(name, "sonar") || strings.Contains(name, "deep-research") {
				continue // deep research is charged by the search, which nothing bounds
			}
			found++
			if r := mustFind(t, Embedded(), provider, "", id, ledger.Instant(on("2026-11-24"))); !r.Prices(Requests) {
				t.Errorf("%s has no fee for a request", r.ID)
			}
		}
	}
	if found < 11 {
		t.Errorf("only %d such models were found", found)
	}
}
