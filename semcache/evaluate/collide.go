package evaluate

import (
	"context"
	"fmt"
	"math/rand/v2"

	"purser/semcache/decide"
	"purser/semcache/embed"
	"purser/semcache/labelled"
)

// Settings of the attack.
const (
	attacks     = 200
	suffixWords = 12
	tries       = 48 // words that are tried for each place
	collides    = 0.80
)

// Collisions attacks the decision as CacheAttack does (arXiv 2601.23088): to the text of
// another meaning that is to take a prompt's place, words are added one after the
// other, each the one of many that brings its vector nearest to the prompt's; the
// prompt's own words are among them. An attack hijacks when the prompt would then be
// answered by what is stored with the crafted text.
func (b *Bench) Collisions(pairs []labelled.Pair) []Result {
	r := rand.New(rand.NewPCG(5, 8))
	texts := labelled.NewClasses(pairs).Texts
	var near, vetoed int
	served := make([]int, len(Deltas))
	for range attacks {
		target, carrier := b.view(texts[r.IntN(len(texts))]), texts[r.IntN(len(texts))]
		if target.Sentence() == nil {
			continue
		}
		crafted := b.view(b.craft(r, carrier, target, texts))
		s := similar(target, crafted)
		if s >= collides {
			near++
		}
		d := b.model.Judge(target, crafted, s, decide.NoMargin)
		if d.Verdict.Vetoed() {
			vetoed++
		}
		for i, delta := range Deltas {
			if (decide.Controller{}).Serves(d.Lower, delta) {
				served[i]++
			}
		}
	}
	out := []Result{shareOf("collisions", fmt.Sprintf("crafted texts of a similarity of %.2f or more", collides), near, attacks)}
	for i, delta := range Deltas {
		out = append(out, shareOf("collisions", fmt.Sprintf("hijacks at delta %.2f", delta), served[i], attacks).atMost(0.01))
	}
	return append(out, shareOf("collisions", "vetoed by a guard", vetoed, attacks))
}

func (b *Bench) craft(r *rand.Rand, carrier string, target *decide.View, texts []string) string {
	v := make([]float32, b.table.Dim())
	text := carrier
	for range suffixWords {
		best, at := float32(-1), ""
		for k := range tries {
			var w string
			if own := target.Text.Words; k < tries/2 && len(own) > 0 {
				w = own[r.IntN(len(own))].Text
			} else {
				other := decide.Prepare(texts[r.IntN(len(texts))]).Words
				if len(other) == 0 {
					continue
				}
				w = other[r.IntN(len(other))].Text
			}
			if b.table.Embed(context.Background(), v, text+" "+w) == nil {
				if c := embed.Cosine(v, target.Sentence()); c > best {
					best, at = c, w
				}
			}
		}
		text += " " + at
	}
	return text
}
