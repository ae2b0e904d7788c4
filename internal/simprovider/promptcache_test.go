package simprovider

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"purser/proxy/price"
)

func TestPromptCacheRules(t *testing.T) {
	var clock atomic.Int64
	clock.Store(1_800_000_000)
	p, addr := start(t, quick(func(c *Config) {
		c.Models = append(c.Models, Model{ID: "writer", ContextWindow: 100_000, MaxOutput: 1000, CacheWrite: true})
	}), func(p *Provider) { p.now = func() time.Time { return time.Unix(clock.Load(), 0) } })
	long := strings.Repeat("four", 2000) // 2,000 tokens of system prompt
	turn := func(model, key, system, user string) usageJSON {
		t.Helper()
		body := `{"model":"` + model + `","messages":[{"role":"system","content":"` + system + `"},{"role":"user","content":"` + user + `"}]}`
		got := chat(t, addr, body, "Authorization", "Bearer "+key)
		row := p.Bill().Rows()
		if last := row[len(row)-1]; last.Usage != got.Usage.bucketed() || last.Usage[price.InputText] < 0 {
			t.Errorf("answered %+v, billed %v", got.Usage, last.Usage)
		}
		return *got.Usage
	}
	cached := func(want int64, u usageJSON) {
		t.Helper()
		if u.PromptIn.Cached != want {
			t.Errorf("%d cached of %d, want %d", u.PromptIn.Cached, u.Prompt, want)
		}
	}
	cached(0, turn("gpt-4o", testKey, long, "first"))
	cached(1920, turn("gpt-4o", testKey, long, "second"))
	cached(0, turn("gpt-4o-mini", testKey, long, "another model"))
	cached(0, turn("gpt-4o", "sk-test-0002", long, "another key"))
	cached(0, turn("gpt-4o", testKey, "x"+long, "another beginning"))
	cached(1024, turn("gpt-4o", testKey, long[:4200]+strings.Repeat("else", 900), "part of it"))
	cached(0, turn("gpt-4o", testKey, long[:3000], "too short"))
	cached(0, turn("gpt-4o", testKey, long[:3000], "too short"))
	clock.Add(299)
	cached(1920, turn("gpt-4o", testKey, long, "just in time"))
	clock.Add(299)
	cached(1920, turn("gpt-4o", testKey, long, "use prolongs it"))
	clock.Add(300)
	cached(0, turn("gpt-4o", testKey, long, "too late"))

	if u := turn("writer", testKey, long, "written"); u.PromptIn.Write != 1920 || u.PromptIn.Cached != 0 {
		t.Errorf("%+v", u)
	}
	if u := turn("writer", testKey, long, "read"); u.PromptIn.Write != 0 || u.PromptIn.Cached != 1920 {
		t.Errorf("%+v", u)
	}
	p.Reset()
	cached(0, turn("gpt-4o", testKey, long, "after a reset"))

	_, off := start(t, quick(func(c *Config) { c.PromptCacheTTL = 0 }))
	for range 2 {
		if got := chat(t, off, ask(long)); got.Usage.PromptIn.Cached != 0 {
			t.Errorf("%+v", got.Usage)
		}
	}
}

func TestPromptCacheIsBounded(t *testing.T) {
	c := newPromptCache(&Config{PromptCacheTTL: time.Minute})
	c.limit = 100
	at := time.Unix(1000, 0)
	prompt := func(i int) []segment { return []segment{{strings.Repeat(string(rune('a'+i)), 16<<10), 4 << 10}} }
	for i := range 26 {
		c.lookup("k", "m", prompt(i), at)
		if len(c.now) > c.limit || len(c.old) > c.limit {
			t.Fatalf("%d and %d blocks", len(c.now), len(c.old))
		}
	}
	if cached, _ := c.lookup("k", "m", prompt(25), at); cached != 4<<10 {
		t.Errorf("the newest is forgotten: %d", cached)
	}
	if cached, _ := c.lookup("k", "m", prompt(0), at); cached != 0 {
		t.Errorf("the oldest is kept: %d", cached)
	}
}
