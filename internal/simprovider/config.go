package simprovider

import (
	"errors"
	"fmt"
	"time"

	"purser/ledger"
	"purser/proxy/price"
)

// Pricer gives what a call costs, in nano-dollars, and false for a model it has
// no price for: such a call is billed at zero and its row says so. The model is
// the one the request named (without a mode suffix), the tier the one answered.
type Pricer func(model string, u price.Usage, tier string) (ledger.Amount, bool)

// TokenCount names a way of counting prompt tokens.
type TokenCount string

// The ways of counting prompt tokens.
const (
	// O200k counts as OpenAI does: o200k_base for chat, cl100k_base for embeddings.
	// The first count of a text takes some 150 µs a KB.
	O200k TokenCount = "o200k"
	// Bytes4 counts four bytes as a token: nearly free, for benchmarks.
	Bytes4 TokenCount = "bytes4"
)

// HangUp says what is billed for a call whose answer was broken off.
type HangUp string

// What is billed for a call broken off.
const (
	BillFull  HangUp = "full" // generation runs to its end whatever happens to the connection
	BillToCut HangUp = "cut"  // generation stops with the connection; output up to there is billed
)

// Weighted is one plan of a mix and the share of requests that get it.
type Weighted struct {
	Plan  string  // in the grammar of ParsePlan
	Share float64 // 0 to 1; what the shares leave of 1 is answered well
}

// Model is one model the provider offers.
type Model struct {
	ID            string
	API           string // "" for OpenAI's, "anthropic", "gemini" or "converse"
	Served        string // the name in answers, such as a dated snapshot; "" is ID
	ContextWindow int64  // tokens of prompt; more is refused with 400
	MaxOutput     int64  // tokens; a cap above it is refused with 400
	Reasoning     bool   // thinks first: reports reasoning_tokens, refuses max_tokens
	CacheWrite    bool   // reports and bills cache writes
	CacheMin      int64  // tokens of the shortest prefix that a breakpoint keeps; 0 is 1,024
	Dimensions    int    // of an embedding model; 0 is a chat model
	Image         ImageRule
}

// Config is all there is to set. Start from [Default].
type Config struct {
	// Keys are the bearer keys that are accepted. At least one, at most 1,024.
	Keys []string
	// Models are the models that exist. At least one, at most 1,024.
	Models []Model
	// Now is the provider's clock: of the bill, rate limits and prompt caches. Nil is
	// the machine's.
	Now func() time.Time
	// Price prices the bill. Nil bills everything at zero, unpriced.
	Price Pricer
	// ReportCost puts what a call is billed into its usage, in dollars, as
	// OpenRouter does. Only OpenAI's dialect has a place for it.
	ReportCost bool
	// Seed changes every answer and every mix.
	Seed uint64
	// Tokens is how prompts are counted. Default o200k.
	Tokens TokenCount

	// OutputMin and OutputMax bound the natural length of an answer, in tokens,
	// before any cap: 1 to 65,536, default 24 and 160.
	OutputMin, OutputMax int
	// ReasoningMin and ReasoningMax bound the hidden tokens of a reasoning
	// model at medium effort: 0 to 65,536, default 64 and 256.
	ReasoningMin, ReasoningMax int

	// FirstByte is the wait before an answer begins: 0 to 10 minutes, default 0.
	FirstByte time.Duration
	// ChunkGap is the wait between the chunks of a stream: 0 to 1 minute, default 0.
	ChunkGap time.Duration
	// ChunkTokens is how many tokens one chunk of a stream carries: 1 to 1,024, default 1.
	ChunkTokens int
	// ChunksPerWrite is how many chunks go into one write: 1 is a flush for each, as
	// providers do (default); 0 writes the whole stream at once, which is what
	// a benchmark of anything but the provider wants.
	ChunksPerWrite int

	// HangUp is what is billed for a broken answer. Default full.
	HangUp HangUp
	// PromptCacheTTL is how long a prefix is remembered after its last use:
	// 0 turns the prompt cache off, at most 24 hours, default 5 minutes.
	PromptCacheTTL time.Duration
	// CacheMachines is over how many machines OpenAI's requests are spread, each with a
	// prompt cache of its own: 1 to 1,024, default 8.
	CacheMachines int
	// CacheDelay is how long after the begin of a call it takes until what that has
	// written to a prompt cache can be read: 0 (default) to 1 minute.
	CacheDelay time.Duration
	// RequestsPerMinute limits each key, with a real 429; 0 (default) does not.
	RequestsPerMinute int

	// Bill is the path of the bill; "" keeps it in memory only. An existing
	// file is continued.
	Bill string
	// SyncBill fsyncs the bill after each row.
	SyncBill bool
	// KeepRows is how many rows stay in memory for Rows and the control
	// surface: 0 to 10,000,000, default 100,000. Totals count all rows.
	KeepRows int

	// Mix are misbehaviours by probability; the shares sum to at most 1.
	Mix []Weighted
	// RequestModes lets a request choose its plan by header or model suffix.
	RequestModes bool
	// Control serves /_sim/ beside the API. It has no authentication.
	Control bool

	// MaxBody bounds a request body, in bytes: default 32 MiB.
	MaxBody int
	// MaxConns bounds open connections: default 16,384; more are closed at once.
	MaxConns int
	// IdleTimeout closes a connection that asks nothing: default 2 minutes.
	IdleTimeout time.Duration
	// Stall is the longest that bill-timeout keeps a caller waiting: default 10 minutes.
	Stall time.Duration
}

// Default is a provider that behaves, with the usual models and no key.
func Default() Config {
	return Config{
		Models: DefaultModels(), Tokens: O200k,
		OutputMin: 24, OutputMax: 160, ReasoningMin: 64, ReasoningMax: 256,
		ChunkTokens: 1, ChunksPerWrite: 1,
		HangUp: BillFull, PromptCacheTTL: 5 * time.Minute, CacheMachines: 8,
		KeepRows: 100_000,
		MaxBody:  32 << 20, MaxConns: 16_384, IdleTimeout: 2 * time.Minute, Stall: 10 * time.Minute,
	}
}

// DefaultModels are models of every kind the surfaces tell apart.
func DefaultModels() []Model {
	const window, long = 128_000, 1_047_576
	return []Model{
		{ID: "gpt-4o", Served: "gpt-4o-2024-08-06", ContextWindow: window, MaxOutput: 16_384, Image: ImageRule{Base: 85, Tile: 170}},
		{ID: "gpt-4o-mini", Served: "gpt-4o-mini-2024-07-18", ContextWindow: window, MaxOutput: 16_384, Image: ImageRule{Base: 2833, Tile: 5667}},
		{ID: "gpt-4.1", ContextWindow: long, MaxOutput: 32_768, Image: ImageRule{Base: 85, Tile: 170}},
		{ID: "gpt-4.1-mini", ContextWindow: long, MaxOutput: 32_768, Image: ImageRule{PatchMille: 1620}},
		{ID: "gpt-4.1-nano", ContextWindow: long, MaxOutput: 32_768, Image: ImageRule{PatchMille: 2460}},
		{ID: "gpt-5", ContextWindow: 400_000, MaxOutput: 128_000, Reasoning: true, Image: ImageRule{Base: 70, Tile: 140}},
		{ID: "gpt-5-mini", ContextWindow: 400_000, MaxOutput: 128_000, Reasoning: true, Image: ImageRule{PatchMille: 1620}},
		{ID: "gpt-5-nano", ContextWindow: 400_000, MaxOutput: 128_000, Reasoning: true, Image: ImageRule{PatchMille: 2460}},
		{ID: "o3", ContextWindow: 200_000, MaxOutput: 100_000, Reasoning: true, Image: ImageRule{Base: 75, Tile: 150}},
		{ID: "o4-mini", ContextWindow: 200_000, MaxOutput: 100_000, Reasoning: true, Image: ImageRule{PatchMille: 1720}},
		{ID: "gpt-3.5-turbo-instruct", ContextWindow: 4_096, MaxOutput: 4_096},
		{ID: "gemini-2.0-flash", API: "gemini", Served: "gemini-2.0-flash-001", ContextWindow: 1_048_576, MaxOutput: 8_192},
		{ID: "gemini-2.5-flash", API: "gemini", ContextWindow: 1_048_576, MaxOutput: 65_536, Reasoning: true},
		{ID: "gemini-2.5-flash-lite", API: "gemini", ContextWindow: 1_048_576, MaxOutput: 65_536},
		{ID: "gemini-embedding-001", API: "gemini", ContextWindow: 2_048, Dimensions: 3_072},
		{ID: "text-embedding-3-small", ContextWindow: 8_192, Dimensions: 1_536},
		{ID: "text-embedding-3-large", ContextWindow: 8_192, Dimensions: 3_072},
		{ID: "text-embedding-ada-002", ContextWindow: 8_192, Dimensions: 1_536},
		{ID: "claude-haiku-4-5", API: "anthropic", Served: "claude-haiku-4-5-20251001", ContextWindow: 200_000, MaxOutput: 64_000, CacheMin: 4096},
		{ID: "claude-sonnet-4-5", API: "anthropic", Served: "claude-sonnet-4-5-20250929", ContextWindow: 200_000, MaxOutput: 64_000},
		{ID: "claude-opus-4-8", API: "anthropic", ContextWindow: 1_000_000, MaxOutput: 128_000},
		{ID: "global.anthropic.claude-haiku-4-5-20251001-v1:0", API: "converse", ContextWindow: 200_000, MaxOutput: 64_000, CacheMin: 4096},
		{ID: "amazon.nova-lite-v1:0", API: "converse", ContextWindow: 300_000, MaxOutput: 10_000},
	}
}

const maxNames = 1024 // of keys, and of models: far beyond any test, small enough to list

// Validate says what is wrong with the configuration, all of it at once.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(c.Keys) == 0 || len(c.Keys) > maxNames {
		bad("keys: %d of them, want 1 to %d", len(c.Keys), maxNames)
	}
	for i, k := range c.Keys {
		if k == "" {
			bad("keys: number %d is empty", i+1)
		}
	}
	if len(c.Models) == 0 || len(c.Models) > maxNames {
		bad("models: %d of them, want 1 to %d", len(c.Models), maxNames)
	}
	seen := map[string]bool{}
	for _, m := range c.Models {
		switch {
		case m.ID == "" || seen[m.ID]:
			bad("models: %q is empty or there twice", m.ID)
		case m.ContextWindow < 1 || m.MaxOutput < 1 && m.Dimensions == 0:
			bad("models: %q needs a context window and a largest output", m.ID)
		case m.API != "" && m.API != "anthropic" && m.API != "gemini" && m.API != "converse":
			bad("models: %q speaks %q, want nothing, anthropic, gemini or converse", m.ID, m.API)
		case m.Dimensions < 0 || m.Dimensions > 8192:
			bad("models: %q has %d dimensions, want 0 to 8,192", m.ID, m.Dimensions)
		}
		seen[m.ID] = true
	}
	if c.Tokens != O200k && c.Tokens != Bytes4 {
		bad("tokens: %q, want %q or %q", c.Tokens, O200k, Bytes4)
	}
	if c.HangUp != BillFull && c.HangUp != BillToCut {
		bad("hang up: %q, want %q or %q", c.HangUp, BillFull, BillToCut)
	}
	within := func(name string, v, low, high int64) {
		if v < low || v > high {
			bad("%s: %d, want %d to %d", name, v, low, high)
		}
	}
	within("least output", int64(c.OutputMin), 1, 65_536)
	within("most output", int64(c.OutputMax), int64(c.OutputMin), 65_536)
	within("least reasoning", int64(c.ReasoningMin), 0, 65_536)
	within("most reasoning", int64(c.ReasoningMax), int64(c.ReasoningMin), 65_536)
	within("first byte", int64(c.FirstByte), 0, int64(10*time.Minute))
	within("chunk gap", int64(c.ChunkGap), 0, int64(time.Minute))
	within("chunk tokens", int64(c.ChunkTokens), 1, 1024)
	within("chunks per write", int64(c.ChunksPerWrite), 0, 65_536)
	within("prompt cache ttl", int64(c.PromptCacheTTL), 0, int64(24*time.Hour))
	within("cache machines", int64(c.CacheMachines), 1, 1024)
	within("cache delay", int64(c.CacheDelay), 0, int64(time.Minute))
	within("requests per minute", int64(c.RequestsPerMinute), 0, 1<<31)
	within("kept rows", int64(c.KeepRows), 0, 10_000_000)
	within("largest body", int64(c.MaxBody), 1024, 1<<30)
	within("connections", int64(c.MaxConns), 1, 1<<20)
	within("idle timeout", int64(c.IdleTimeout), int64(time.Millisecond), int64(24*time.Hour))
	within("stall", int64(c.Stall), int64(time.Millisecond), int64(24*time.Hour))
	if _, err := newMix(c.Mix, c.Seed); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
