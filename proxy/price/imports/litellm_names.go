package imports

import (
	"strconv"
	"strings"

	"purser/proxy/price"
)

// litellmPrices are what prices are named by, without tier and threshold.
var litellmPrices = map[string]price.Meter{
	"input_cost_per_token":                       price.InputText,
	"output_cost_per_token":                      price.OutputText,
	"output_cost_per_reasoning_token":            price.OutputReasoning,
	"cache_read_input_token_cost":                price.CacheRead,
	"cache_creation_input_token_cost":            price.CacheWriteOther,
	"cache_creation_input_token_cost_above_1hr":  price.CacheWrite1h,
	"cache_creation_input_token_cost_above_12hr": price.CacheWrite12h,
	"input_cost_per_audio_token":                 price.AudioIn,
	"output_cost_per_audio_token":                price.AudioOut,
	"input_cost_per_image_token":                 price.ImageIn,
	"output_cost_per_image_token":                price.ImageOut,
	"input_cost_per_request":                     price.Requests,
}

// litellmMeter reads a field's name: a price, perhaps _above_200k_tokens, perhaps
// _priority, _flex or _batches.
func litellmMeter(name string) (at band, m price.Meter, ok bool) {
	for suffix, tier := range map[string]string{"_priority": "priority", "_flex": "flex", "_batches": "batch"} {
		if short, found := strings.CutSuffix(name, suffix); found {
			name, at.tier = short, tier
			break
		}
	}
	if short, found := strings.CutSuffix(name, "k_tokens"); found {
		if i := strings.LastIndex(short, "_above_"); i >= 0 {
			n, err := strconv.ParseInt(short[i+len("_above_"):], 10, 32)
			if err != nil || n < 0 {
				return at, 0, false
			}
			name, at.from = short[:i], n*1000+1
		}
	}
	m, ok = litellmPrices[name]
	return at, m, ok
}

// litellmProviders are LiteLLM's names of providers that the catalogue names
// otherwise. What is not here keeps its name.
var litellmProviders = map[string]string{
	"text-completion-openai": "openai", "azure_text": "azure", "bedrock": "aws", "bedrock_converse": "aws", "gemini": "google",
	"xai": "x-ai", "together_ai": "together", "fireworks_ai": "fireworks", "fireworks_ai-embedding-models": "fireworks",
	"moonshot": "moonshotai", "voyage": "voyageai", "cohere_chat": "cohere", "codestral": "mistral", "text-completion-codestral": "mistral",
	"github_copilot": "github-copilot",
}

// litellmName splits a key such as "azure/eu/gpt-4o": whose model it is, in which
// region, and what the provider calls it. Keys carry their provider or do not.
func litellmName(provider, key string) (of, region, id string, prefixed bool) {
	of, id = provider, key
	if known, ok := litellmProviders[provider]; ok {
		of = known
	}
	if strings.HasPrefix(provider, "vertex_ai") {
		of = "google-vertex"
	}
	family, _, _ := strings.Cut(strings.TrimSuffix(strings.TrimSuffix(provider, "_converse"), "_chat"), "-")
	for _, prefix := range [2]string{provider, family} {
		if rest, ok := strings.CutPrefix(key, prefix+"/"); ok && !prefixed {
			id, prefixed = rest, true
		}
	}
	first, rest, more := strings.Cut(id, "/")
	switch {
	case !more || !prefixed:
	case of == "azure" && (first == "eu" || first == "us"):
		region, id = first, rest
	case of == "azure" && strings.HasPrefix(first, "global"):
		id = rest
	case of == "aws" && strings.Count(first, "-") >= 2 && !strings.Contains(first, "."):
		region, id = first, rest // such as eu-central-1
	}
	return of, region, id, prefixed
}
