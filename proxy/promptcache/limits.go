package promptcache

import "strings"

// shortest are the beginnings of a prompt, in tokens, below which a mark keeps nothing,
// by what is in a model's name: https://platform.claude.com/docs, prompt caching, as of
// November 2026. The first that fits counts.
var shortest = []struct {
	in     string
	tokens int64
}{
	{"opus-5", 512}, {"fable-5", 512}, {"mythos-5", 512},
	{"opus-4-7", 2048}, {"opus-4-6", 4096}, {"opus-4-5", 4096}, {"opus-4", 1024},
	{"haiku-4-5", 4096}, {"haiku", 2048}, {"sonnet", 1024},
}

// longestShortest is that of a model whose own is not known: a mark too early is kept
// by none.
const longestShortest = 4096

// Shortest is the shortest beginning of a prompt that a model's cache keeps, in tokens.
// It errs to the longer side.
func Shortest(model string) int64 {
	model = strings.ReplaceAll(model, ".", "-")
	for _, s := range shortest {
		if strings.Contains(model, s.in) {
			return s.tokens
		}
	}
	return longestShortest
}
