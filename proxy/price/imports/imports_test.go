package imports

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"purser/ledger"
	"purser/proxy/price"
	"purser/proxy/price/overrides"
)

const at = ledger.Instant(1_795_478_400) * ledger.Second // 2026-11-24

// litellmFile has one entry of each kind, in the form of LiteLLM's file.
const litellmFile = `{
  "sample_spec": {"mode": "one of: chat", "litellm_provider": "one of", "input_cost_per_token": 0.0},
  "gpt-6-astra": {"litellm_provider": "openai", "mode": "chat", "max_input_tokens": 922000, "max_output_tokens": 128000,
    "input_cost_per_token": 1e-05, "output_cost_per_token": 5e-05, "cache_read_input_token_cost": 1e-06,
    "cache_creation_input_token_cost": 1.25e-05, "cache_creation_input_token_cost_above_12hr": 2.5e-05,
    "input_cost_per_token_above_272k_tokens": 2e-05, "output_cost_per_token_above_272k_tokens": 7.5e-05,
    "cache_creation_input_token_cost_above_12hr_above_272k_tokens": 5e-05,
    "input_cost_per_token_priority": 2e-05, "output_cost_per_token_priority": 0.0001, "cache_read_input_token_cost_priority": 2e-06,
    "input_cost_per_token_above_272k_tokens_priority": 4e-05,
    "input_cost_per_token_ultrafast": 6e-05, "input_cost_per_token_batches": 5e-06, "output_cost_per_token_batches": 2.5e-05,
    "output_cost_per_token_flex": 1e-05,
    "search_context_cost_per_query": {"search_context_size_high": 0.03, "search_context_size_low": 0.01, "search_context_size_medium": 0.025},
    "regional_processing_uplift_multiplier_eu": 1.1, "supports_vision": true},
  "claude-haiku-5-5": {"litellm_provider": "anthropic", "mode": "chat", "input_cost_per_token": 1e-07, "output_cost_per_token": 5e-07,
    "cache_creation_input_token_cost": 1.25e-07, "cache_creation_input_token_cost_above_1hr": 2e-07, "cache_read_input_token_cost": 1e-08,
    "input_cost_per_token_batches": 5e-08, "output_cost_per_token_batches": 2.5e-07, "cache_creation_input_token_cost_batches": 6.25e-08,
    "provider_specific_entry": {"us": 1.1}},
  "gemini/gemini-2.5-flash": {"litellm_provider": "gemini", "mode": "chat", "input_cost_per_token": 3e-07, "output_cost_per_token": 2.5e-06,
    "input_cost_per_audio_token": 1e-06, "output_cost_per_reasoning_token": 3.5e-06, "input_cost_per_token_flex": 1.5e-07,
    "google_maps_grounding_cost_per_query": 0.025},
  "dashscope/qwen-flash": {"litellm_provider": "dashscope", "mode": "chat", "input_cost_per_token": 5e-08, "output_cost_per_token": 4e-07,
    "tiered_pricing": [{"input_cost_per_token": 5e-08, "output_cost_per_token": 4e-07, "range": [0, 256000.0]},
                       {"input_cost_per_token": 2.5e-07, "output_cost_per_token": 2e-06, "range": [256000.0, 1000000.0]}]},
  "deepseek-chat": {"litellm_provider": "deepseek", "mode": "chat", "input_cost_per_token": 9e-07, "output_cost_per_token": 9e-07},
  "deepseek/deepseek-chat": {"litellm_provider": "deepseek", "mode": "chat", "input_cost_per_token": 2.8e-07, "output_cost_per_token": 4.2e-07,
    "input_cost_per_token_cache_hit": 2.8e-08, "cache_creation_input_token_cost": 0.0},
  "azure/eu/gpt-5-2025-08-07": {"litellm_provider": "azure", "mode": "chat", "input_cost_per_token": 1.375e-06, "output_cost_per_token": 1.1e-05},
  "bedrock/eu-central-1/anthropic.claude-v2:1": {"litellm_provider": "bedrock", "mode": "chat", "input_cost_per_token": 8e-06, "output_cost_per_token": 2.4e-05},
  "bedrock/us-east-1/1-month-commitment/anthropic.claude-v2:1": {"litellm_provider": "bedrock", "mode": "chat", "input_cost_per_token": 8e-06, "output_cost_per_token": 2.4e-05},
  "eu.anthropic.claude-opus-5": {"litellm_provider": "bedrock_converse", "mode": "chat", "input_cost_per_token": 5.5e-06, "output_cost_per_token": 2.75e-05},
  "ft:gpt-4o-2024-11-20": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 3.75e-06, "output_cost_per_token": 1.5e-05},
  "perplexity/pplx-70b-online": {"litellm_provider": "perplexity", "mode": "chat", "input_cost_per_request": 0.005, "input_cost_per_token": 0.0, "output_cost_per_token": 2.8e-06},
  "noisy": {"litellm_provider": "x", "mode": "chat", "input_cost_per_token": 2.4999999999999998e-07, "output_cost_per_token": 1.2345678e-10},
  "text-embedding-3-small": {"litellm_provider": "openai", "mode": "embedding", "input_cost_per_token": 2e-08, "output_cost_per_token": 0.0},
  "1024-x-1024/dall-e-2": {"litellm_provider": "openai", "mode": "image_generation", "input_cost_per_pixel": 1.9e-08},
  "video": {"litellm_provider": "x", "mode": "chat", "input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06, "input_cost_per_video_token": 3e-06},
  "pictures": {"litellm_provider": "x", "mode": "chat", "input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06, "output_cost_per_image": 0.04},
  "letters": {"litellm_provider": "x", "mode": "chat", "input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06, "input_cost_per_character": 1e-06},
  "ollama/llama3": {"litellm_provider": "ollama", "mode": "chat", "input_cost_per_token": 0.0, "output_cost_per_token": 0.0},
  "half": {"litellm_provider": "x", "mode": "chat", "input_cost_per_token": 1e-06},
  "none": {"litellm_provider": "x", "mode": "chat"},
  "negative": {"litellm_provider": "x", "mode": "chat", "input_cost_per_token": -1e-06, "output_cost_per_token": 1e-06},
  "words": {"litellm_provider": "x", "mode": "chat", "input_cost_per_token": "cheap", "output_cost_per_token": 1e-06},
  "latest": {"model": "gpt-6-astra"}
}`

// applied is the result as a catalogue, by way of the overrides' file.
func applied(t *testing.T, r *Result) *price.Catalogue {
	t.Helper()
	text := overrides.Write(r.Models)
	empty, err := price.Parse((&price.Snapshot{Version: 1}).Encode())
	if err != nil {
		t.Fatal(err)
	}
	c, err := overrides.Apply(empty, "imported.yaml", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return c
}

type wantPrice struct {
	provider, region, model string
	tier                    price.Tier
	input                   int64
	meter                   price.Meter
	pico                    int64
}

func check(t *testing.T, c *price.Catalogue, wants []wantPrice) {
	t.Helper()
	for _, w := range wants {
		r, ok := c.FindIn(w.provider, w.region, w.model, at)
		if !ok || r.Region != w.region {
			t.Errorf("%s:%s has no %s", w.provider, w.region, w.model)
			continue
		}
		if got := r.Price(w.meter, w.tier, w.input); got != w.pico {
			t.Errorf("%s %s from %d: %s is %d pico-dollars, want %d", r.ID, w.tier, w.input, w.meter, got, w.pico)
		}
	}
}

func TestLiteLLM(t *testing.T) {
	r, err := LiteLLM([]byte(litellmFile))
	if err != nil {
		t.Fatal(err)
	}
	c := applied(t, r)
	check(t, c, []wantPrice{
		{"openai", "", "gpt-6-astra", price.Standard, 0, price.InputText, 10_000_000},
		{"openai", "", "gpt-6-astra", price.Standard, 272_000, price.InputText, 10_000_000},
		{"openai", "", "gpt-6-astra", price.Standard, 272_001, price.InputText, 20_000_000},
		{"openai", "", "gpt-6-astra", price.Standard, 272_001, price.CacheRead, 20_000_000}, // not stated: as input there
		{"openai", "", "gpt-6-astra", price.Standard, 272_001, price.CacheWrite12h, 50_000_000},
		{"openai", "", "gpt-6-astra", price.Standard, 0, price.CacheWrite30m, 12_500_000},
		{"openai", "", "gpt-6-astra", price.Standard, 0, price.WebSearch, 30_000_000_000}, // the dearest size
		{"openai", "", "gpt-6-astra", price.Priority, 0, price.CacheRead, 2_000_000},
		{"openai", "", "gpt-6-astra", price.Priority, 0, price.CacheWrite12h, 25_000_000},
		{"openai", "", "gpt-6-astra", price.Priority, 300_000, price.InputText, 40_000_000},
		{"openai", "", "gpt-6-astra", price.Priority, 300_000, price.OutputText, 100_000_000},
		{"openai", "", "gpt-6-astra", price.Batch, 0, price.OutputText, 25_000_000},
		{"openai", "", "gpt-6-astra", price.Batch, 0, price.CacheWrite12h, 25_000_000}, // not stated: at least the standard one
		{"openai", "eu", "gpt-6-astra", price.Standard, 0, price.CacheRead, 1_100_000},
		{"openai", "eu", "gpt-6-astra", price.Standard, 0, price.WebSearch, 30_000_000_000},
		{"openai", "", "ft:gpt-4o-2024-11-20:acme::7", price.Standard, 0, price.OutputText, 15_000_000},
		{"openai", "", "text-embedding-3-small", price.Standard, 0, price.InputText, 20_000},
		{"anthropic", "", "claude-haiku-5-5", price.Standard, 0, price.CacheWrite1h, 200_000},
		{"anthropic", "", "claude-haiku-5-5", price.Batch, 0, price.CacheWrite5m, 62_500},
		{"anthropic", "", "claude-haiku-5-5", price.Batch, 0, price.CacheWrite1h, 200_000},
		{"anthropic", "us", "claude-haiku-5-5", price.Standard, 0, price.OutputText, 550_000},
		{"google", "", "gemini-2.5-flash", price.Standard, 0, price.OutputReasoning, 3_500_000},
		{"google", "", "gemini-2.5-flash", price.Flex, 0, price.AudioIn, 1_000_000},
		{"dashscope", "", "qwen-flash", price.Standard, 255_999, price.InputText, 50_000},
		{"dashscope", "", "qwen-flash", price.Standard, 256_000, price.InputText, 250_000},
		{"deepseek", "", "deepseek-chat", price.Standard, 0, price.InputText, 280_000},
		{"deepseek", "", "deepseek-chat", price.Standard, 0, price.CacheRead, 28_000},
		{"deepseek", "", "deepseek-chat", price.Standard, 0, price.CacheWriteOther, 280_000}, // a zero is no price of it
		{"azure", "eu", "gpt-5-2025-08-07", price.Standard, 0, price.InputText, 1_375_000},
		{"aws", "eu-central-1", "anthropic.claude-v2:1", price.Standard, 0, price.InputText, 8_000_000},
		{"aws", "", "eu.anthropic.claude-opus-5", price.Standard, 0, price.InputText, 5_500_000},
		{"perplexity", "", "pplx-70b-online", price.Standard, 0, price.Requests, 5_000_000_000},
		{"x", "", "noisy", price.Standard, 0, price.InputText, 250_000},
		{"x", "", "noisy", price.Standard, 0, price.OutputText, 124},
	})
	astra, _ := c.Find("openai", "gpt-6-astra", at)
	if astra.Lists(price.Flex) || astra.ContextWindow != 1_050_000 || astra.MaxOutput != 128_000 || astra.Source != "litellm" {
		t.Errorf("gpt-6-astra: flex %v, window %d, output %d, source %q", astra.Lists(price.Flex), astra.ContextWindow, astra.MaxOutput, astra.Source)
	}
	checkLeft(t, r, map[string][]string{
		"a price without a meter: input_cost_per_token_ultrafast":                      {"gpt-6-astra"},
		"a price without a meter: google_maps_grounding_cost_per_query":                {"gemini/gemini-2.5-flash"},
		"a price without a meter: input_cost_per_video_token":                          {"video"},
		"a price without a meter: output_cost_per_image":                               {"pictures"},
		"a price without a meter: input_cost_per_character":                            {"letters"},
		"a tier without a price for input":                                             {"gpt-6-astra flex"},
		"a name without a model, or capacity bought ahead":                             {"bedrock/us-east-1/1-month-commitment/anthropic.claude-v2:1"},
		"listed twice, one counts":                                                     {"deepseek/deepseek-chat"},
		"no model: it has no mode":                                                     {"latest"},
		"of mode image_generation":                                                     {"1024-x-1024/dall-e-2"},
		"priced at zero":                                                               {"ollama/llama3"},
		"priced by input_cost_per_character":                                           {"letters"},
		"rounded up to a pico-dollar":                                                  {"noisy output_cost_per_token"},
		"with a price that is no decimal number":                                       {"negative", "words"},
		"with input_cost_per_video_token dearer than the tokens that it is metered as": {"video"},
		"with output_cost_per_image, and no price of the tokens":                       {"pictures"},
		"without a price for input tokens":                                             {"none"},
		"without a price for output tokens":                                            {"half"},
	})
}

func checkLeft(t *testing.T, r *Result, want map[string][]string) {
	t.Helper()
	got := map[string][]string{}
	for _, l := range r.Left {
		got[l.Why] = l.What
	}
	for _, why := range slices.Sorted(maps.Keys(want)) {
		if !slices.Equal(got[why], want[why]) {
			t.Errorf("%s: %q, want %q", why, got[why], want[why])
		}
		delete(got, why)
	}
	for why, what := range got {
		t.Errorf("%s: %q is not expected", why, what)
	}
}

// modelsDevFile is in the form of models.dev's api.json.
const modelsDevFile = `{
  "openai": {"id": "openai", "name": "OpenAI", "models": {
    "gpt-5.5": {"id": "gpt-5.5", "cost": {"input": 5, "output": 30, "cache_read": 0.5,
        "tiers": [{"input": 10, "output": 45, "cache_read": 1, "tier": {"type": "context", "size": 272000}}],
        "context_over_200k": {"input": 99, "output": 99}},
      "experimental": {"modes": {"fast": {"cost": {"input": 12.5, "output": 75, "cache_read": 1.25}}, "warp": {"cost": {"input": 50, "output": 300}}}},
      "limit": {"context": 1050000, "output": 128000}},
    "gpt-4o-audio": {"cost": {"input": 2.5, "output": 10, "input_audio": 40, "output_audio": 80}, "limit": {"context": 128000, "output": 16384}}}},
  "anthropic": {"models": {
    "claude-sonnet-4-6": {"cost": {"input": 3, "output": 15, "cache_read": 0.3, "cache_write": 3.75,
        "context_over_200k": {"input": 6, "output": 22.5, "cache_read": 0.6}}, "limit": {"context": 1000000, "output": 64000}}}},
  "xai": {"models": {"grok-4.6": {"cost": {"input": 2, "output": 6, "reasoning": 7, "cache_write": 0, "storage": 3}, "limit": {}}}},
  "zai-coding-plan": {"models": {"glm-4.7": {"name": "GLM"}, "glm-free": {"cost": {"input": 0, "output": 0}},
    "glm-odd": {"cost": {"input": 1, "output": 2, "tiers": [{"input": 3, "output": 4, "tier": {"type": "tokens", "size": 5}}]}},
    "glm-in": {"cost": {"input": 1}}, "glm-out": {"cost": {"output": 1}}, "glm-words": {"cost": {"input": "1.5", "output": true}}}},
  "broken": 7
}`

func TestModelsDev(t *testing.T) {
	r, err := ModelsDev([]byte(modelsDevFile))
	if err != nil {
		t.Fatal(err)
	}
	c := applied(t, r)
	check(t, c, []wantPrice{
		{"openai", "", "gpt-5.5", price.Standard, 272_000, price.InputText, 5_000_000},
		{"openai", "", "gpt-5.5", price.Standard, 272_001, price.OutputText, 45_000_000},
		{"openai", "", "gpt-5.5", price.Priority, 0, price.CacheRead, 1_250_000},
		{"openai", "", "gpt-4o-audio", price.Standard, 0, price.AudioOut, 80_000_000},
		{"anthropic", "", "claude-sonnet-4-6", price.Standard, 200_001, price.CacheRead, 600_000},
		{"anthropic", "", "claude-sonnet-4-6", price.Standard, 200_001, price.CacheWriteOther, 6_000_000}, // not stated: as input there
		{"x-ai", "", "grok-4.6", price.Standard, 0, price.OutputReasoning, 7_000_000},
		{"x-ai", "", "grok-4.6", price.Standard, 0, price.CacheWriteOther, 2_000_000},
	})
	if gpt, _ := c.Find("openai", "gpt-5.5", at); gpt.ContextWindow != 1_050_000 || gpt.MaxOutput != 128_000 || gpt.Source != "models.dev" {
		t.Errorf("window %d, output %d, source %q", gpt.ContextWindow, gpt.MaxOutput, gpt.Source)
	}
	checkLeft(t, r, map[string][]string{
		"a price without a meter: storage":       {"xai/grok-4.6"},
		"a provider without models":              {"broken"},
		"a tier that does not exist here: warp":  {"openai/gpt-5.5"},
		"priced at zero":                         {"zai-coding-plan/glm-free"},
		"with a price that is no decimal number": {"zai-coding-plan/glm-words"},
		"with tiers of another form":             {"zai-coding-plan/glm-odd"},
		"without a price":                        {"zai-coding-plan/glm-4.7"},
		"without a price for input tokens":       {"zai-coding-plan/glm-out"},
		"without a price for output tokens":      {"zai-coding-plan/glm-in"},
	})
}

func TestWhatIsNotSuchAFileIsAnError(t *testing.T) {
	for _, text := range []string{"", "[]", "7", `{"a":`, `{"a":{}} more`, "providers:\n", "\x00"} {
		if _, err := LiteLLM([]byte(text)); err == nil || !strings.HasPrefix(err.Error(), "reading LiteLLM's prices: ") {
			t.Errorf("LiteLLM %q: %v", text, err)
		}
		if _, err := ModelsDev([]byte(text)); err == nil || !strings.HasPrefix(err.Error(), "reading models.dev's prices: ") {
			t.Errorf("models.dev %q: %v", text, err)
		}
	}
	if _, err := LiteLLM(make([]byte, MaxFile+1)); err == nil || !strings.Contains(err.Error(), "over the limit") {
		t.Errorf("a file too large: %v", err)
	}
}

// survives: what comes out of any input is read from the overrides' file as it was.
func survives(t *testing.T, r *Result, err error) {
	if err != nil {
		return
	}
	c := applied(t, r)
	all := c.All()
	if len(all) != len(r.Models) {
		t.Fatalf("%d models of %d survive", len(all), len(r.Models))
	}
	for _, m := range r.Models {
		rate, ok := c.FindIn(m.Provider, m.Region, m.ID, at)
		if !ok {
			continue // a name with blanks around it, or in another's place
		}
		if rate.Price(price.InputText, price.Standard, 0) < 0 {
			t.Fatalf("%s has a negative price", rate.ID)
		}
	}
	again := overrides.Write(all)
	if first := overrides.Write(r.Models); string(again) != string(first) {
		t.Fatalf("written again it is\n%s\nnot\n%s", again, first)
	}
}

func FuzzLiteLLM(f *testing.F) {
	f.Add(litellmFile)
	f.Add(`{"a: b # {c}":{"litellm_provider":"x\"y","mode":"chat","input_cost_per_token":1e-06,"output_cost_per_token":1E-7}}`)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := LiteLLM([]byte(text))
		survives(t, r, err)
	})
}

func FuzzModelsDev(f *testing.F) {
	f.Add(modelsDevFile)
	f.Add(`{"p":{"models":{"~":{"cost":{"input":0.000001,"output":1e-3}},"null":{"cost":{"input":1,"output":2}}}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ModelsDev([]byte(text))
		survives(t, r, err)
	})
}
