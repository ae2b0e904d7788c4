package bound

import (
	"fmt"
	"hash/maphash"
	"sync"
	"unicode"
	"unicode/utf8"

	tiktoken "github.com/tiktoken-go/tokenizer"
)

// The tokenizers known, by the names that the price catalogue uses.
const (
	o200k  = "o200k"
	cl100k = "cl100k"
)

var loaders = map[string]func() *tokenizer{
	o200k:  sync.OnceValue(func() *tokenizer { return build(tiktoken.O200kBase) }),
	cl100k: sync.OnceValue(func() *tokenizer { return build(tiktoken.Cl100kBase) }),
}

// load gives a tokenizer, building it at first use; nil if there is none of that name.
func load(name string) *tokenizer {
	if l := loaders[name]; l != nil {
		return l()
	}
	return nil
}

// noRank is the rank of what is not in the vocabulary.
const noRank = 1<<32 - 1

// maxIDs is beyond the largest token id of any vocabulary known.
const maxIDs = 1 << 18

// tokenizer is one byte-pair vocabulary as a read-only hash table: the bytes of
// all tokens in one block, and open addressing over their ids. A token's id is
// also its rank in merging. It takes a third of the memory of a Go map and no
// pointer, so the collector has nothing to follow.
type tokenizer struct {
	old   bool // splits as cl100k_base does, not as o200k_base
	class *[1 << 16]uint8
	codec tiktoken.Codec // for the pieces too long for us

	seed    maphash.Seed
	slots   []uint32 // id + 1
	starts  []uint32 // of each id in text; the next one's start is its end
	text    []byte
	longest int

	single [256]uint32          // ranks of single bytes
	pairs  [1 << 16 / 64]uint64 // which two bytes are a token
}

func build(e tiktoken.Encoding) *tokenizer {
	codec, err := tiktoken.Get(e)
	if err != nil {
		panic(fmt.Sprintf("bound: vocabulary compiled in is missing: %v", err))
	}
	t := &tokenizer{old: e == tiktoken.Cl100kBase, class: classes(), codec: codec, seed: maphash.MakeSeed()}
	t.slots = make([]uint32, 1<<19)
	t.starts = make([]uint32, 1, 200_100)
	var id [1]uint
	last := 0
	for i := range uint(maxIDs) {
		id[0] = i
		token, err := codec.Decode(id[:])
		if err == nil {
			t.text = append(t.text, token...)
			t.longest = max(t.longest, len(token))
			last = int(i)
		}
		t.starts = append(t.starts, uint32(len(t.text)))
	}
	t.starts = append([]uint32(nil), t.starts[:last+2]...)
	for i := range last + 1 {
		t.add(uint32(i))
	}
	for b := range 256 {
		t.single[b] = t.rank([]byte{byte(b)})
		for c := range 256 {
			if t.rank([]byte{byte(b), byte(c)}) != noRank {
				t.pairs[b<<2|c>>6] |= 1 << (c & 63)
			}
		}
	}
	return t
}

func (t *tokenizer) token(id uint32) []byte { return t.text[t.starts[id]:t.starts[id+1]] }

func (t *tokenizer) add(id uint32) {
	token := t.token(id)
	if len(token) == 0 {
		return
	}
	mask := uint64(len(t.slots) - 1)
	i := maphash.Bytes(t.seed, token) & mask
	for t.slots[i] != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = id + 1
}

// rank gives the rank of a token, noRank if piece is not one.
func (t *tokenizer) rank(piece []byte) uint32 {
	if len(piece) > t.longest {
		return noRank
	}
	mask := uint64(len(t.slots) - 1)
	for i := maphash.Bytes(t.seed, piece) & mask; ; i = (i + 1) & mask {
		id := t.slots[i]
		if id == 0 {
			return noRank
		}
		if string(t.token(id-1)) == string(piece) {
			return id - 1
		}
	}
}

// mergeable says whether two bytes together are a token.
func (t *tokenizer) mergeable(a, b byte) bool {
	return t.pairs[int(a)<<2|int(b)>>6]&(1<<(b&63)) != 0
}

// count counts the tokens of text: an upper bound, or exactly as far as work
// (nil for none) lasts. Every piece is counted as at most its bytes.
func (t *tokenizer) count(text []byte, work *effort) int64 {
	s := splitter{text: text, class: t.class}
	var n int64
	for i := 0; i < len(text); {
		var end int
		if t.old {
			end = s.cl100k(i)
		} else {
			end = s.o200k(i)
		}
		n += t.piece(text[i:end], work)
		i = end
	}
	return n
}

// piece counts the tokens of one piece.
func (t *tokenizer) piece(piece []byte, work *effort) int64 {
	var n int64
	switch {
	case len(piece) == 1 || t.rank(piece) != noRank:
		n = 1
	case work != nil:
		n = t.merge(piece, work)
	default:
		n = t.worst(piece)
	}
	if last := piece[len(piece)-1]; (last == '\n' || last == '\r') && len(piece) > 2 {
		if r, _ := utf8.DecodeRune(piece); unicode.IsSpace(r) {
			n = max(n, t.blankLines(piece, work))
		}
	}
	return n
}

// blankLines counts a piece of white space with line ends in several places as
// some tokenizers cut it: after each run of line ends. The pattern says
// \s*[\r\n]+, which takes them all as one piece, but an implementation that does
// not give back what \s* took (such as the library's generated one) stops at the
// first, and makes more tokens of it. A bound must hold for both.
func (t *tokenizer) blankLines(piece []byte, work *effort) int64 {
	var n int64
	from := 0
	for i := 1; i < len(piece); i++ {
		before, here := piece[i-1], piece[i]
		if (before == '\n' || before == '\r') && here != '\n' && here != '\r' {
			n += t.piece(piece[from:i], work)
			from = i
		}
	}
	if from == 0 {
		return 0
	}
	return n + t.piece(piece[from:], work)
}

// worst bounds the tokens of a piece that is not one token. When merging has
// ended, no two neighbours together are a token. So of the ways to cut the piece
// it counts the longest in which no two single bytes that could merge stand
// side by side.
func (t *tokenizer) worst(piece []byte) int64 {
	// The most tokens up to here: the last of them one byte long, or longer.
	one, more := int64(1), int64(0)
	before := int64(0) // the best up to one byte earlier
	for i := 1; i < len(piece); i++ {
		best := max(one, more)
		single := more + 1
		if i == 1 && more == 0 {
			single = 0 // nothing before but the one byte
		}
		if !t.mergeable(piece[i-1], piece[i]) {
			single = max(single, one+1)
		}
		longer := max(before+1, more)
		one, more, before = single, longer, best
	}
	return max(one, more)
}
