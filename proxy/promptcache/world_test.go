package promptcache

import (
	"math/rand/v2"
	"strings"
	"time"

	"purser/ledger"
)

// Prices of a token as Anthropic has them, in twentieths of an uncached one's.
var claude = Terms{Scope: Seed("up/model"), Marks: true, Hour: true, MinTokens: 1024, Input: 20, Read: 2, Write5: 25, Write60: 40}

// words is a text of about so many tokens that is the same for the same seed.
func words(seed, tokens int) string {
	r := rand.New(rand.NewPCG(uint64(seed), 7))
	b := make([]byte, 0, tokens*bytesPerToken+8)
	for len(b) < tokens*bytesPerToken {
		n := r.Uint64()
		for range 8 {
			b = append(b, 'a'+byte(n%26))
			n >>= 8
		}
	}
	return string(b[:tokens*bytesPerToken])
}

// talk is a conversation as a body of Anthropic's.
type talk struct {
	system string
	said   []string // the caller and the model in turns
}

func (t *talk) body() []byte {
	var b strings.Builder
	b.WriteString(`{"model":"claude","max_tokens":9,"system":[{"type":"text","text":"` + t.system + `"}],"messages":[`)
	for i, s := range t.said {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"role":"` + [2]string{"user", "assistant"}[i%2] + `","content":"` + s + `"}`)
	}
	b.WriteString("]}")
	return []byte(b.String())
}

// cache is the provider's, written from its documentation and not from this package:
// what is kept is what ended at a mark, and a mark finds what ended within 20 blocks
// before it.
type cache struct {
	kept  map[Hash]keeping
	cost  float64 // of all prompts, in uncached tokens
	read  int64
	all   int64
	wrote int64
	least int64
}

type keeping struct {
	until ledger.Instant
	life  time.Duration
}

func (c *cache) prompt(p *Prompt, marks []Mark, at ledger.Instant) {
	if c.kept == nil {
		c.kept = map[Hash]keeping{}
	}
	var read, from int64
	for _, m := range marks {
		for i := m.Block; i >= 0 && i > m.Block-20; i-- {
			k, ok := c.kept[p.Blocks[i].Hash]
			if ok && k.until > at {
				if p.Blocks[i].Tokens > read {
					read = p.Blocks[i].Tokens
				}
				c.kept[p.Blocks[i].Hash] = keeping{at + ledger.Instant(k.life), k.life}
				break
			}
		}
	}
	from = read
	c.cost += 0.1 * float64(read)
	for _, m := range marks {
		b := p.Blocks[m.Block]
		if b.Tokens < c.least {
			continue
		}
		life, price := 5*time.Minute, 1.25
		if m.Long {
			life, price = time.Hour, 2
		}
		if n := b.Tokens - from; n > 0 {
			c.cost += price * float64(n)
			c.wrote += n
			from = b.Tokens
		}
		if k := c.kept[b.Hash]; k.until <= at || k.life < life {
			c.kept[b.Hash] = keeping{at + ledger.Instant(life), life}
		}
	}
	c.cost += float64(p.Tokens() - from)
	c.read += read
	c.all += p.Tokens()
}
