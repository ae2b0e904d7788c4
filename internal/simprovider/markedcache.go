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

// cacheMarked is the prompt cache that a request asks for, Anthropic's: up to the
// last breakpoint, the longest prefix that an earlier breakpoint kept is read and
// the rest is written, for the lifetime of the breakpoint it lies before. Prefixes
// below 1,024 tokens are not kept.
func cacheMarked(x *call) {
	g := &x.gen
	if len(g.marks) == 0 || x.p.cfg.PromptCacheTTL == 0 {
		return
	}
	hashes, tokens := x.p.cache.prefixes(x.account.fingerprint, g.model.ID, g.prompt)
	c := x.p.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	last := g.marks[len(g.marks)-1].segments
	for i := last; i > 0 && g.cached == 0; i-- {
		if tokens[i] >= cacheMinTokens && c.usedLocked(hashes[i]) > x.at.UnixNano() {
			g.cached = tokens[i]
		}
	}
	at := g.cached
	for _, m := range g.marks {
		if tokens[m.segments] < cacheMinTokens {
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
		if len(c.now) >= c.limit {
			c.now, c.old = map[uint64]int64{}, c.now
		}
		c.now[hashes[m.segments]] = max(c.usedLocked(hashes[m.segments]), x.at.Add(life).UnixNano())
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
