package simprovider

import (
	"hash/maphash"
	"strconv"
	"sync"
	"time"
)

// segment is a stretch of the prompt that is counted as one: a message's text,
// a picture, the tools.
type segment struct {
	text   string
	tokens int64
}

// promptCache remembers which prefixes a key has sent a model. As at OpenAI: a
// prefix counts from 1,024 tokens, in steps of 128, and is forgotten some
// minutes after its last use. Prefixes are compared in blocks of bytes; within
// a segment tokens are taken to be spread evenly.
//
// Each of the provider's machines has a cache of its own. Which one a request goes to
// follows from the beginning of its prompt and its prompt_cache_key; of more than 15 a
// minute that have both in common, each 15 go to another.
type promptCache struct {
	ttl      time.Duration
	delay    time.Duration // until what a call has written can be read
	machines uint64
	limit    int // blocks of a generation
	seed     maphash.Seed

	mu     sync.Mutex
	now    map[uint64]kept // by a hash of key, model, machine and prefix
	old    map[uint64]kept // the generation before, dropped when now is full
	minute int64           // that load is of
	load   map[uint64]int  // requests by what leads them to a machine
}

// kept is one prefix. Times are unix nanoseconds.
type kept struct {
	since int64 // when it was written
	until int64 // when it is forgotten
	life  int64 // nanoseconds from its last use
}

const (
	cacheMinTokens  = 1024
	cacheStepTokens = 128
	cacheBlockBytes = 256
	maxCacheBlocks  = 1 << 18 // a generation: 64 MiB of prompts, 16 MB of table
	leadTokens      = 256     // of a prompt, that lead it to a machine
	machineRate     = 15      // requests a minute
)

func newPromptCache(cfg *Config) *promptCache {
	return &promptCache{
		ttl: cfg.PromptCacheTTL, delay: cfg.CacheDelay, machines: uint64(max(cfg.CacheMachines, 1)),
		limit: maxCacheBlocks, seed: maphash.MakeSeed(), now: map[uint64]kept{}, old: map[uint64]kept{}, load: map[uint64]int{},
	}
}

func (c *promptCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.now)
	clear(c.old)
}

// cachePrefix is the prompt cache that works by itself, OpenAI's and Gemini's.
func cachePrefix(x *call) {
	g := &x.gen
	c := x.p.cache
	if c.ttl == 0 || g.input < cacheMinTokens {
		return
	}
	owner := x.account.fingerprint
	if x.d.api == "" { // OpenAI's
		root, _ := x.root()
		owner += c.machine(owner, root.Get("prompt_cache_key").Str, g, x.at)
	}
	cached, eligible := c.lookup(owner, g.model.ID, g.prompt, x.at)
	g.cached = cached
	if g.model.CacheWrite {
		g.written = eligible - cached
	}
}

// machine says where a request goes.
func (c *promptCache) machine(owner, key string, g *generation, at time.Time) string {
	var h maphash.Hash
	h.SetSeed(c.seed)
	for _, s := range []string{owner, g.model.ID, key} {
		h.WriteString(s)
		h.WriteByte(0)
	}
	left := int64(leadTokens)
	for i := 0; i < len(g.prompt) && left > 0; i++ {
		s := g.prompt[i]
		if s.tokens > left { // its first part
			s.text = s.text[:int64(len(s.text))*left/s.tokens]
		}
		h.WriteString(s.text)
		left -= s.tokens
	}
	lead := h.Sum64()
	c.mu.Lock()
	defer c.mu.Unlock()
	if m := at.Unix() / 60; m != c.minute {
		c.minute = m
		clear(c.load)
	}
	before := c.load[lead]
	c.load[lead]++
	return "/" + strconv.FormatUint((lead+uint64(before/machineRate))%c.machines, 10)
}

// lookup returns how many leading tokens of the prompt are cached, and how many
// could be from now on; it remembers the prompt.
func (c *promptCache) lookup(key, model string, prompt []segment, at time.Time) (cached, eligible int64) {
	blocks := c.blocks(key, model, prompt)
	now := at.UnixNano()
	c.mu.Lock()
	defer c.mu.Unlock()
	hit := 0
	for i := len(blocks); i > 0 && hit == 0; i-- {
		if k := c.findLocked(blocks[i-1]); k.until > now && k.since+int64(c.delay) <= now {
			hit = i
		}
	}
	for _, b := range blocks {
		k := c.findLocked(b)
		if k.until <= now {
			k.since = now
		}
		k.until = now + int64(c.ttl)
		c.putLocked(b, k)
	}
	return whole(prompt, hit*cacheBlockBytes), whole(prompt, len(blocks)*cacheBlockBytes)
}

func (c *promptCache) findLocked(block uint64) kept {
	if k, ok := c.now[block]; ok {
		return k
	}
	return c.old[block]
}

func (c *promptCache) putLocked(block uint64, k kept) {
	if len(c.now) >= c.limit {
		c.now, c.old = map[uint64]kept{}, c.now
	}
	c.now[block] = k
}

// blocks hashes the prompt cumulatively: one hash for each whole block.
func (c *promptCache) blocks(key, model string, prompt []segment) []uint64 {
	var h maphash.Hash
	h.SetSeed(c.seed)
	h.WriteString(key)
	h.WriteByte(0)
	h.WriteString(model)
	h.WriteByte(0)
	var out []uint64
	room := cacheBlockBytes
	for _, s := range prompt {
		for text := s.text; len(text) > 0; {
			n := min(room, len(text))
			h.WriteString(text[:n])
			text = text[n:]
			if room -= n; room == 0 {
				out = append(out, h.Sum64())
				room = cacheBlockBytes
			}
		}
	}
	return out
}

// whole is the number of tokens in the first size bytes of the prompt, rounded
// down to what the cache serves.
func whole(prompt []segment, size int) int64 {
	tokens := int64(0)
	for _, s := range prompt {
		if size < len(s.text) {
			tokens += s.tokens * int64(size) / int64(len(s.text))
			break
		}
		tokens += s.tokens
		size -= len(s.text)
	}
	if tokens < cacheMinTokens {
		return 0
	}
	return tokens / cacheStepTokens * cacheStepTokens
}
