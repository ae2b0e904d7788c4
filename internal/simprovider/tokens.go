package simprovider

import (
	"fmt"
	"hash/maphash"
	"sync"

	"github.com/tiktoken-go/tokenizer"
)

// MessageOverhead is what each message costs beyond its text, and NameOverhead
// what a name in it costs beyond its own; ReplyOverhead is what priming the
// answer costs, once. OpenAI documents them for its chat format.
const (
	MessageOverhead = 3
	NameOverhead    = 1
	ReplyOverhead   = 3
)

// counter counts the tokens of a text; never more than its bytes.
type counter func(text string) int64

// newCounters makes the counters of chat models and of embedding models, which
// have another vocabulary.
func newCounters(how TokenCount) (chat, embedding counter) {
	if how == Bytes4 {
		bytes4 := func(text string) int64 { return int64(len(text)+3) / 4 }
		return bytes4, bytes4
	}
	newMemo := func(load func() tokenizer.Codec) *memo {
		return &memo{load: load, counts: map[uint64]int64{}, seed: maphash.MakeSeed()}
	}
	return newMemo(loadO200k).count, newMemo(loadCl100k).count
}

var (
	loadO200k  = sync.OnceValue(func() tokenizer.Codec { return load(tokenizer.O200kBase) })
	loadCl100k = sync.OnceValue(func() tokenizer.Codec { return load(tokenizer.Cl100kBase) })
)

func load(name tokenizer.Encoding) tokenizer.Codec {
	codec, err := tokenizer.Get(name)
	if err != nil {
		panic(fmt.Sprintf("simprovider: the vocabulary %s is embedded, yet: %v", name, err))
	}
	return codec
}

// memo remembers counts, because agents send their whole history again with
// each turn. The vocabulary is loaded when it is first needed.
type memo struct {
	load func() tokenizer.Codec

	mu     sync.Mutex
	counts map[uint64]int64
	seed   maphash.Seed
}

const maxMemo = 1 << 16 // texts; 16 bytes each, emptied when full

func (m *memo) count(text string) int64 {
	key := maphash.String(m.seed, text)
	m.mu.Lock()
	n, ok := m.counts[key]
	m.mu.Unlock()
	if ok {
		return n
	}
	counted, err := m.load().Count(text)
	if err != nil {
		counted = len(text) // not UTF-8: a byte a token, as the tokenizer would
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.counts) >= maxMemo {
		clear(m.counts)
	}
	m.counts[key] = int64(counted)
	return int64(counted)
}
