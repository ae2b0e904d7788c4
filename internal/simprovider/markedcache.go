package simprovider

import (
	"hash/maphash"
	"time"
)

// Lifetimes of what a breakpoint keeps.
const (
	shortLife = 5 * time.Minute
	longLife  = time.Hour
)

// lookBack is how many blocks a breakpoint looks back over for what an earlier one
// kept, its own among them.
const lookBack = 20

// cacheMarked is the prompt cache that a request asks for, Anthropic's: from each
// breakpoint, the longest prefix that an earlier one kept is looked for at the ends of
// the last 20 blocks; what is found is read, and stays for its lifetime from now. The
// rest, up to the last breakpoint, is written for the lifetime of the breakpoint it
// lies before. Prefixes shorter than the model's least are not kept.
func cacheMarked(x *call) {
	g := &x.gen
	if len(g.marks) == 0 || x.p.cfg.PromptCacheTTL == 0 {
		return
	}
	hashes, tokens := x.p.cache.prefixes(x.account.fingerprint, g.model.ID, g.prompt)
	least := int64(cacheMinTokens)
	if g.model.CacheMin > 0 {
		least = g.model.CacheMin
	}
	c := x.p.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	now := x.at.UnixNano()
	for _, m := range g.marks {
		for b := m.blocks; b > 0 && b > m.blocks-lookBack; b-- {
			i := g.blocks[b-1]
			k := c.findLocked(hashes[i])
			if k.until <= now || k.since+int64(x.p.cfg.CacheDelay) > now || tokens[i] < least {
				continue
			}
			k.until = now + k.life
			c.putLocked(hashes[i], k)
			g.cached = max(g.cached, tokens[i])
			break
		}
	}
	at := g.cached
	for _, m := range g.marks {
		if tokens[m.segments] < least {
			continue
		}
		life := shortLife
		if m.long {
			life = longLife
		}
		if n := tokens[m.segments] - at; n > 0 {
			at += n
			g.written += n
			if m.long {
				g.long += n
			}
		}
		if k := c.findLocked(hashes[m.segments]); k.until <= now {
			c.putLocked(hashes[m.segments], kept{since: now, until: now + int64(life), life: int64(life)})
		}
	}
}

// prefixes hashes and counts the prompt up to each segment.
func (c *promptCache) prefixes(key, model string, prompt []segment) (hashes []uint64, tokens []int64) {
	var h maphash.Hash
	h.SetSeed(c.seed)
	h.WriteString(key)
	h.WriteByte(0)
	h.WriteString(model)
	hashes, tokens = make([]uint64, 1, len(prompt)+1), make([]int64, 1, len(prompt)+1)
	for i, s := range prompt {
		h.WriteByte(1)
		h.WriteString(s.text)
		hashes = append(hashes, h.Sum64())
		tokens = append(tokens, tokens[i]+s.tokens)
	}
	return hashes, tokens
}
