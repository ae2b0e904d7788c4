package focus

import (
	"strings"

	"purser/proxy/price"
)

// meter is how one of ours is called in rows.
type meter struct {
	name      string // SkuMeter
	direction string // x_TokenDirection: Input, Output
	cache     string // x_TokenCacheAction: Read, Write
	unit      string // ConsumedUnit
	block     int64  // units in one PricingUnit
}

func tokens(name, direction, cache string) meter {
	return meter{name: name, direction: direction, cache: cache, unit: "Tokens", block: 1_000_000}
}

func calls(name string) meter { return meter{name: name, unit: name, block: 1000} }

var meters = [price.NumMeters]meter{
	price.InputText:       tokens("Input Tokens", "Input", ""),
	price.CacheRead:       tokens("Cache Read Input Tokens", "Input", "Read"),
	price.CacheWrite5m:    tokens("Cache Write 5 Minutes Input Tokens", "Input", "Write"),
	price.CacheWrite30m:   tokens("Cache Write 30 Minutes Input Tokens", "Input", "Write"),
	price.CacheWrite1h:    tokens("Cache Write 1 Hour Input Tokens", "Input", "Write"),
	price.CacheWrite12h:   tokens("Cache Write 12 Hours Input Tokens", "Input", "Write"),
	price.CacheWriteOther: tokens("Cache Write Input Tokens", "Input", "Write"),
	price.OutputText:      tokens("Output Tokens", "Output", ""),
	price.OutputReasoning: tokens("Reasoning Output Tokens", "Output", ""),
	price.AudioIn:         tokens("Audio Input Tokens", "Input", ""),
	price.AudioOut:        tokens("Audio Output Tokens", "Output", ""),
	price.ImageIn:         tokens("Image Input Tokens", "Input", ""),
	price.ImageOut:        tokens("Image Output Tokens", "Output", ""),
	price.WebSearch:       calls("Web Searches"),
	price.WebFetch:        calls("Web Fetches"),
	price.CodeExec:        calls("Code Executions"),
	price.FileSearch:      calls("File Searches"),
	price.Requests:        calls("Requests"),
}

// Meters that no provider counts.
const (
	noMeter       = price.Meter(price.NumMeters + iota)
	unreported    // a charge whose usage is not known
	servedByCache // a request that was answered without a call
)

func meterOf(m price.Meter) meter {
	switch m {
	case unreported:
		return calls("Requests of Unreported Usage").counted("Requests")
	case servedByCache:
		return calls("Requests Served From Cache").counted("Requests")
	case noMeter:
		return meter{}
	}
	return meters[m]
}

func (m meter) counted(unit string) meter {
	m.unit = unit
	return m
}

// slug is the meter in the ids of SKUs.
func slug(m price.Meter) string {
	switch m {
	case unreported:
		return "unreported"
	case servedByCache:
		return "cached"
	}
	return m.String()
}

// providers are their names as people know them. Others are called as the catalogue
// calls them.
var providers = map[string]string{
	"openai": "OpenAI", "anthropic": "Anthropic", "google": "Google", "gemini": "Google", "vertex": "Google Cloud", "bedrock": "Amazon Web Services",
	"aws": "Amazon Web Services", "azure": "Microsoft Azure", "mistral": "Mistral AI", "groq": "Groq", "deepseek": "DeepSeek", "cohere": "Cohere",
	"openrouter": "OpenRouter", "together": "Together AI", "fireworks": "Fireworks AI", "xai": "xAI", "x-ai": "xAI", "perplexity": "Perplexity",
}

func providerName(id string) string {
	if id == "" {
		return Unallocated
	}
	if name, ok := providers[id]; ok {
		return name
	}
	return id
}

// ratePlace is the provider and region that a rate's ID begins with.
func ratePlace(id string) (provider, region string) {
	place, _, found := strings.Cut(id, "/")
	if !found {
		return "", ""
	}
	provider, region, _ = strings.Cut(place, ":")
	return provider, region
}
