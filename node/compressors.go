package node

import (
	"context"
	"errors"
	"time"

	"purser/proxy/compress/hook"
)

// CompressionConfig is what compression works with; what it does are the levers of the
// directory.
type CompressionConfig struct {
	Hooks []CompressorConfig `yaml:"hooks,omitempty"` // compressors outside
}

// CompressorConfig is a compressor outside.
type CompressorConfig struct {
	Name       string            `yaml:"name"`              // as levers name it
	URL        string            `yaml:"url"`               // that is asked
	Timeout    time.Duration     `yaml:"timeout"`           // of one request's call, default 500ms, 10ms to 30s
	Concurrent int               `yaml:"concurrent"`        // calls at once, default 8, 1 to 256
	CacheBytes *int              `yaml:"cache_bytes"`       // of answers that are remembered, default 16777216, 0 to 1073741824
	Headers    map[string]string `yaml:"headers,omitempty"` // sent with each call
}

func (c *CompressionConfig) setDefaults() {
	own := hook.Default()
	for i := range c.Hooks {
		h := &c.Hooks[i]
		if h.Timeout == 0 {
			h.Timeout = own.Timeout
		}
		if h.Concurrent == 0 {
			h.Concurrent = own.Concurrent
		}
		if h.CacheBytes == nil {
			h.CacheBytes = &own.CacheBytes
		}
	}
}

func (h *CompressorConfig) client() hook.Config {
	c := hook.Config{Name: h.Name, URL: h.URL, Timeout: h.Timeout, Concurrent: h.Concurrent, Header: h.Headers}
	if h.CacheBytes != nil {
		c.CacheBytes = *h.CacheBytes
	}
	return c
}

func (c *CompressionConfig) validate() error {
	return checkHooks(len(c.Hooks), func(i int) (string, error) {
		h := c.Hooks[i].client()
		return h.Name, h.Validate()
	})
}

// compressors fulfils what the request path wants of compressors outside, by their names.
type compressors map[string]*hook.Client

func openCompressors(c *CompressionConfig) (compressors, error) {
	list := compressors{}
	for i := range c.Hooks {
		client, err := hook.New(c.Hooks[i].client())
		if err != nil {
			return nil, err
		}
		list[c.Hooks[i].Name] = client
	}
	return list, nil
}

// Shorten implements proxy.Compressors.
func (c compressors) Shorten(ctx context.Context, name, scope string, texts []string, ratio float64) ([]string, error) {
	client, ok := c[name]
	if !ok {
		return nil, errors.New("this node's configuration has no such hook under compression.hooks")
	}
	return client.Shorten(ctx, scope, texts, ratio)
}

func (c compressors) close() {
	for _, client := range c {
		client.Close()
	}
}
