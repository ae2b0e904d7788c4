package simprovider

import (
	"strings"
	"testing"
	"time"
)

func TestConfigurationIsChecked(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"keys: 0":             func(c *Config) { c.Keys = nil },
		"number 1 is empty":   func(c *Config) { c.Keys = []string{""} },
		"models: 0":           func(c *Config) { c.Models = nil },
		"there twice":         func(c *Config) { c.Models = append(c.Models, c.Models[0]) },
		"context window":      func(c *Config) { c.Models = []Model{{ID: "x"}} },
		"tokens:":             func(c *Config) { c.Tokens = "words" },
		"hang up:":            func(c *Config) { c.HangUp = "never" },
		"least output:":       func(c *Config) { c.OutputMin = 0 },
		"most output:":        func(c *Config) { c.OutputMax = 1 },
		"chunk gap:":          func(c *Config) { c.ChunkGap = time.Hour },
		"chunk tokens:":       func(c *Config) { c.ChunkTokens = 0 },
		"connections:":        func(c *Config) { c.MaxConns = 0 },
		"largest body:":       func(c *Config) { c.MaxBody = 1 },
		"no mode":             func(c *Config) { c.Mix = []Weighted{{"frob", 0.1}} },
		"more than 1":         func(c *Config) { c.Mix = []Weighted{{"500", 0.6}, {"429", 0.6}} },
		"is not within 0 and": func(c *Config) { c.Mix = []Weighted{{"500", -0.6}} },
	} {
		cfg := quick(change)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
		if p, err := New(cfg); err == nil {
			t.Errorf("%s: made %v", want, p)
		}
	}
	cfg := Default()
	cfg.Keys = []string{"k"}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
}
