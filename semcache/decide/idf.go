package decide

import (
	_ "embed"
	"strings"
)

// words holds the 12,000 most frequent English words with how rare they are, one
// a line, in order: word, space, letter. 'a' is the most frequent class, and each
// letter doubles the rank. `go run ./tools/semfit words` makes it from the order
// of the vocabulary of all-MiniLM-L6-v2 (BERT's: Apache-2.0), which is roughly that
// of frequency.
//
//go:embed words.txt
var words string

// classes is how many letters words.txt uses; what it does not have is in the last.
const classes = 14

// rarity is how much a word says, from 0 (the) to 1 (a word that is not among the
// frequent ones), and whether it is known.
func rarity(word string) (idf float32, known bool) {
	lo, hi := 0, len(words)
	for lo < hi {
		mid := (lo + hi) / 2
		start := strings.LastIndexByte(words[:mid], '\n') + 1
		end := start + strings.IndexByte(words[start:], '\n')
		line := words[start:end]
		switch strings.Compare(line[:len(line)-2], word) {
		case 0:
			return float32(line[len(line)-1]-'a') / classes, true
		case -1:
			lo = end + 1
		default:
			hi = start
		}
	}
	return 1, false
}
