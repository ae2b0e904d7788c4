package simprovider

import (
	"hash/maphash"
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
type promptCache struct {
	ttl   time.Duration
	limit int // blocks of a generation
	seed  maphash.Seed

	mu  sync.Mutex
	now map[uint64]int64 // hash of key, model and prefix -> last use, unix nanoseconds
	old map[uint64]int64 // the generation before, dropped when now is full
}

const (
	cacheMinTokens  = 1024
	cacheStepTokens = 128
	cacheBlockBytes = 256
	maxCacheBlocks  = 1 << 18 // a generation: 64 MiB of prompts, 8 MB of table
)

func newPromptCache(ttl time.Duration) *promptCache {
	return &promptCache{ttl: ttl, limit: maxCacheBlocks, seed: maphash.MakeSeed(), now: map[uint64]int64{}, old: map[uint64]int64{}}
}

func (c *promptCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.now)
	clear(c.old)
}

// lookup returns how many leading tokens of the prompt are cached, and how many
// could be from now on; it remembers the prompt.
func (c *promptCache) lookup(key, model string, prompt []segment, total int64, at time.Time) (cached, eligible int64) {
	if c.ttl == 0 || total < cacheMinTokens {
		return 0, 0
	}
	blocks := c.blocks(key, model, prompt)
	since := at.Add(-c.ttl).UnixNano()
	c.mu.Lock()
	defer c.mu.Unlock()
	hit := 0
	for i := len(blocks); i > 0 && hit == 0; i-- {
		if c.usedLocked(blocks[i-1]) > since {
			hit = i
		}
	}
	for _, b := range blocks {
		if len(c.now) >= c.limit {
			c.now, c.old = map[uint64]int64{}, c.now
		}
		c.now[b] = at.UnixNano()
	}
	return whole(prompt, hit*cacheBlockBytes), whole(prompt, len(blocks)*cacheBlockBytes)
}

func (c *promptCache) usedLocked(block uint64) int64 {
	return max(c.now[block], c.old[block])
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
