package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"purser/internal/telemetry"
	"purser/proxy/redaction"
	"purser/proxy/redaction/body"
	"purser/proxy/redaction/presidio"
	"purser/proxy/redaction/rules"
)

// RedactionConfig is what redactions work with; what they do is in the directory.
type RedactionConfig struct {
	HashKey   string       `yaml:"hash_key"`        // at least 16 characters, the same on all nodes; better ${PURSER_HASH_KEY}. Default a new one at each start
	RulesFile string       `yaml:"rules_file"`      // rules for secrets in gitleaks' TOML form, instead of Purser's own
	Hooks     []HookConfig `yaml:"hooks,omitempty"` // recognizers outside, in Presidio's form
}

// HookConfig is a recognizer outside.
type HookConfig struct {
	Name       string            `yaml:"name"`              // as redactions name it
	URL        string            `yaml:"url"`               // base address; /analyze is below it
	Timeout    time.Duration     `yaml:"timeout"`           // of one request's calls together, default 2s, 10ms to 60s
	Concurrent int               `yaml:"concurrent"`        // calls at once, default 8, 1 to 256
	TextBytes  int               `yaml:"text_bytes"`        // of one call, default 100000, 1000 to 10000000
	Headers    map[string]string `yaml:"headers,omitempty"` // sent with each call
}

// maxHooks is several times what anybody runs.
const maxHooks = 16

// leastHashKey is the characters of a key that cannot be guessed.
const leastHashKey = 16

func (c *RedactionConfig) setDefaults() {
	own := presidio.Default()
	for i := range c.Hooks {
		h := &c.Hooks[i]
		if h.Timeout == 0 {
			h.Timeout = own.Timeout
		}
		if h.Concurrent == 0 {
			h.Concurrent = own.Concurrent
		}
		if h.TextBytes == 0 {
			h.TextBytes = own.TextBytes
		}
	}
}

func (h *HookConfig) client() presidio.Config {
	return presidio.Config{Name: h.Name, URL: h.URL, Timeout: h.Timeout, Concurrent: h.Concurrent, TextBytes: h.TextBytes, Header: h.Headers}
}

func (c *RedactionConfig) validate() error {
	var errs []error
	if c.HashKey != "" && len(c.HashKey) < leastHashKey {
		errs = append(errs, fmt.Errorf("hash_key has fewer than %d characters; make one with `openssl rand -hex 32`", leastHashKey))
	}
	errs = append(errs, checkHooks(len(c.Hooks), func(i int) (string, error) {
		h := c.Hooks[i].client()
		return h.Name, h.Validate()
	}))
	return errors.Join(errs...)
}

// checkHooks says what is wrong with the hooks of a section, of which each gives one's
// name and what is wrong with it.
func checkHooks(n int, each func(i int) (name string, err error)) error {
	var errs []error
	if n > maxHooks {
		errs = append(errs, fmt.Errorf("hooks: there are more than %d", maxHooks))
	}
	names := map[string]bool{}
	for i := range n {
		name, err := each(i)
		if err != nil {
			errs = append(errs, fmt.Errorf("hooks[%d]: %w", i, err))
		}
		if names[name] {
			errs = append(errs, fmt.Errorf("hooks[%d]: there is another %q", i, name))
		}
		names[name] = true
	}
	return errors.Join(errs...)
}

// rules reads the operator's rules; nil without a file.
func (c *RedactionConfig) rules() (list []rules.Rule, err error) {
	if c.RulesFile == "" {
		return nil, nil
	}
	doc, err := os.ReadFile(c.RulesFile)
	if err != nil {
		return nil, fmt.Errorf("redaction.rules_file: %w", err)
	}
	set, err := rules.Load(doc)
	if err != nil {
		return nil, fmt.Errorf("redaction.rules_file: %w", err)
	}
	own, err := rules.Own()
	if err != nil {
		return nil, err
	}
	if list = set.Extended(own.Rules); len(list) == 0 {
		return nil, errors.New("redaction.rules_file: there is no rule in it that a text alone can decide")
	}
	return list, nil
}

// redactor fulfils what the request path wants of redactions.
type redactor struct {
	book    *ruleBook
	hooks   map[string]*presidio.Client
	metrics *telemetry.Metrics
}

// openRedactions readies the hooks, and what specs are compiled with.
func (n *Node) openRedactions() error {
	c := &n.cfg.Redaction
	list, err := c.rules()
	if err != nil {
		return err
	}
	n.objects.options = redaction.Options{Rules: list, HashKey: []byte(c.HashKey)}
	if c.HashKey == "" {
		n.objects.options.HashKey = []byte(rand.Text())
	}
	n.redactor = &redactor{book: &n.objects, hooks: map[string]*presidio.Client{}, metrics: n.metrics}
	for i := range c.Hooks {
		client, err := presidio.New(c.Hooks[i].client())
		if err != nil {
			return err
		}
		n.redactor.hooks[c.Hooks[i].Name] = client
	}
	return nil
}

func (r *redactor) close() {
	if r == nil {
		return
	}
	for _, c := range r.hooks {
		c.Close()
	}
}

// Set implements proxy.Redactions.
func (r *redactor) Set() (*redaction.Set, error) {
	c := r.book.now.Load()
	return c.redactions, c.err
}

// Ask implements proxy.Redactions.
func (r *redactor) Ask(ctx context.Context, h *redaction.Hook, texts [][]byte) ([][]redaction.Finding, error) {
	c, ok := r.hooks[h.Name]
	if !ok {
		return nil, errors.New("this node's configuration has no such hook under redaction.hooks")
	}
	return c.Analyze(ctx, h, texts)
}

// Found implements proxy.Redactions.
func (r *redactor) Found(counts body.Counts) {
	for _, c := range counts {
		action := string(c.Action)
		if c.Shadow {
			action = string(redaction.Shadow)
		}
		r.metrics.Redacted(c.Entity, action, c.N)
	}
}

// checkRedaction says what is wrong with a spec for the rules that this node has,
// beside the others that there are, so that no object is made which would stop
// requests. Where the others cannot be read it is looked at alone: one of them has to
// be put right.
func (b *ruleBook) checkRedaction(id string, s redaction.Spec) error {
	s.ID = id
	list := []redaction.Spec{s}
	if rules, err := b.compiled(); err == nil {
		for _, other := range rules.Redactions() {
			if other.ID != id {
				list = append(list, other)
			}
		}
	}
	_, err := redaction.Compile(list, b.options)
	return err
}
