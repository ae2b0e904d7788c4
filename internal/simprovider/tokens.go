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

func newCounter(how TokenCount) counter {
	if how == Bytes4 {
		return func(text string) int64 { return int64(len(text)+3) / 4 }
	}
	return (&memo{counts: map[uint64]int64{}, seed: maphash.MakeSeed()}).count
}

var loadO200k = sync.OnceValue(func() tokenizer.Codec {
	codec, err := tokenizer.Get(tokenizer.O200kBase)
	if err != nil {
		panic(fmt.Sprintf("simprovider: the o200k vocabulary is embedded, yet: %v", err))
	}
	return codec
})

// memo remembers counts, because agents send their whole history again with
// each turn. The vocabulary is loaded when it is first needed.
type memo struct {
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
	counted, err := loadO200k().Count(text)
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
