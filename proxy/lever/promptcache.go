package lever

import "time"

// Modes of the provider's own prompt cache.
const (
	PromptCacheCoordinate = "coordinate"
	PromptCacheObserve    = "observe" // learns what is asked again, and changes nothing
	PromptCacheOff        = "off"
)

// PromptCacheSpec is the settings for the caches that providers keep of prompts.
type PromptCacheSpec struct {
	// Mode is coordinate, the default, observe or off.
	Mode string `json:"mode,omitempty"`
	// MinTokens is the shortest beginning of a prompt that is marked, where the provider
	// does not want a longer one; default 1024, 256 to 1000000.
	MinTokens *int64 `json:"min_tokens,omitempty"`
	// MaxLifetime is the longest lifetime that is asked for; default 1h, 5m or 1h.
	MaxLifetime string `json:"max_lifetime,omitempty"`
}

// PromptCache is a PromptCacheSpec, read.
type PromptCache struct {
	Mode        string
	MinTokens   int64
	MaxLifetime time.Duration
}

func (s *PromptCacheSpec) read() (*PromptCache, error) {
	var r reader
	out := &PromptCache{
		Mode:        r.oneOf("mode", s.Mode, PromptCacheCoordinate, PromptCacheObserve, PromptCacheOff),
		MinTokens:   number(&r, "min_tokens", s.MinTokens, 1024, 256, 1_000_000),
		MaxLifetime: r.span("max_lifetime", s.MaxLifetime, time.Hour, 5*time.Minute, time.Hour),
	}
	return out, r.err()
}
