package node

import (
	"errors"
	"fmt"
	"time"

	"purser/semcache/semantic"
)

// SemcacheConfig is the semantic cache. Which requests it answers is said by levers:
// without one it answers none.
type SemcacheConfig struct {
	Enabled  bool           `yaml:"enabled"`  // default true; it needs the exact cache
	Embedder EmbedderConfig `yaml:"embedder"` // what makes vectors of questions
	Qdrant   QdrantConfig   `yaml:"qdrant"`   // the tier that nodes have in common

	Entries       int           `yaml:"entries"`            // questions of all tenants, default 100000, 1 to 1000000
	TenantEntries int           `yaml:"tenant_entries"`     // of one tenant, default 50000, up to entries
	ScopeEntries  int           `yaml:"scope_entries"`      // of one scope, default 20000, up to entries
	Inserts       int           `yaml:"inserts_per_minute"` // that a tenant may add, default 600, 1 to 1000000
	EmbedWait     time.Duration `yaml:"embed_wait"`         // how long a request waits for its vector, default 50ms, 1ms to 10s
	Floor         float64       `yaml:"floor"`              // similarity below which questions are not compared, default 0.55, 0 to 1
}

// EmbedderConfig is what makes vectors of questions.
type EmbedderConfig struct {
	Kind       string `yaml:"kind"`       // static (default): a table in the binary; openai or ollama: a server that speaks that API
	URL        string `yaml:"url"`        // base address of the server
	Model      string `yaml:"model"`      // its name there
	Key        string `yaml:"key"`        // bearer token; better ${EMBEDDER_KEY}
	Dimensions int    `yaml:"dimensions"` // of its vectors, 1 to 4096
	Shorten    bool   `yaml:"shorten"`    // ask the server for vectors of that many dimensions, of a model that can
}

// The kinds of embedder.
const (
	embedStatic = "static"
	embedOpenAI = "openai"
	embedOllama = "ollama"
)

func defaultSemcache() SemcacheConfig {
	d := semantic.DefaultConfig()
	return SemcacheConfig{
		Enabled: true, Embedder: EmbedderConfig{Kind: embedStatic}, Qdrant: defaultQdrant(), Entries: d.Entries, TenantEntries: d.TenantEntries, ScopeEntries: d.ScopeEntries,
		Inserts: d.Inserts, EmbedWait: d.EmbedWait, Floor: d.Floor,
	}
}

// tier is the configuration of the tier itself.
func (c *SemcacheConfig) tier() semantic.Config {
	t := semantic.DefaultConfig()
	t.Entries, t.TenantEntries, t.ScopeEntries, t.Inserts = c.Entries, c.TenantEntries, c.ScopeEntries, c.Inserts
	t.EmbedWait, t.Floor = c.EmbedWait, c.Floor
	if c.Qdrant.Address != "" {
		t.SharedWait = c.Qdrant.Timeout
	}
	return t
}

func (c *SemcacheConfig) validate() error {
	err := c.tier().Validate()
	switch e := &c.Embedder; e.Kind {
	case embedStatic:
		if e.URL != "" || e.Model != "" || e.Key != "" || e.Dimensions != 0 || e.Shorten {
			err = errors.Join(err, errors.New("embedder: the static one has no url, model, key or dimensions"))
		}
	case embedOpenAI, embedOllama:
		if e.URL == "" || e.Model == "" || e.Dimensions < 1 || e.Dimensions > 4096 {
			err = errors.Join(err, fmt.Errorf("embedder: %s needs a url, a model and its dimensions, 1 to 4096", e.Kind))
		}
	default:
		err = errors.Join(err, fmt.Errorf("embedder.kind is %q, not static, openai or ollama", e.Kind))
	}
	return err
}
