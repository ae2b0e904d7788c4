package promptcache

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"

	"purser/proxy/dialect/jsonscan"
)

// Hash stands for the beginning of a prompt, of one tenant.
type Hash [16]byte

// Zero says whether there is none.
func (h Hash) Zero() bool { return h == Hash{} }

// Part is where in a prompt a block is.
type Part uint8

// The parts, in the order in which caches compare them.
const (
	Tools Part = iota
	System
	Messages
)

// Block is a stretch of a prompt at whose end a cached beginning may end.
type Block struct {
	Hash   Hash  // of everything up to its end
	Tokens int64 // the same, estimated
	Part   Part
	Turn   int  // of the caller, counted from 1; 0 before the messages
	Ends   bool // the last of its turn, after which the model speaks
	place  place
}

// place is where a mark of a block goes.
type place struct {
	open int  // begin of a text that has to become a block first; -1 for a block
	at   int  // where the mark goes; -1: the block takes none
	next bool // the mark is an element of its own, and not a member
}

var nowhere = place{open: -1, at: -1}

// Prompt is a body, read. It may be read into again and again, keeping its memory.
type Prompt struct {
	Blocks []Block
	Marked bool // the client has placed a mark
	Keyed  bool // the client has named a key for the cache

	static int  // blocks of tools and system
	turns  int  // of the caller
	root   Hash // up to the end of the caller's first turn
	tools  []span
	seed   Hash
	sum    hash.Hash
	bytes  int64 // of everything up to here
}

type span struct{ start, end int }

// bytesPerToken makes an estimate of a text's tokens. English and code have about four
// bytes in one.
const bytesPerToken = 4

// Seed is the hash that prompts of a tenant begin with.
func Seed(tenant string) (h Hash) {
	sum := sha256.Sum256([]byte(tenant))
	copy(h[:], sum[:])
	return h
}

func (p *Prompt) reset(seed Hash) {
	*p = Prompt{Blocks: p.Blocks[:0], tools: p.tools[:0], seed: seed, sum: p.sum}
	if p.sum == nil {
		p.sum = sha256.New()
	}
	p.begin()
}

// begin starts the next block's hash with what was before it.
func (p *Prompt) begin() {
	p.sum.Reset()
	p.sum.Write(p.last())
}

func (p *Prompt) last() []byte {
	if n := len(p.Blocks); n > 0 {
		return p.Blocks[n-1].Hash[:]
	}
	return p.seed[:]
}

// add takes in bytes of the block that is being read.
func (p *Prompt) add(b []byte) {
	p.sum.Write(b)
	p.bytes += int64(len(b))
}

// end ends a block.
func (p *Prompt) end(part Part, at place) {
	b := Block{Tokens: p.bytes / bytesPerToken, Part: part, Turn: p.turns, place: at}
	var full [sha256.Size]byte
	copy(b.Hash[:], p.sum.Sum(full[:0]))
	p.Blocks = append(p.Blocks, b)
	if part != Messages {
		p.static = len(p.Blocks)
	}
	p.begin()
}

// speaker is who says a message. Several in a row of one are one turn.
type speaker uint8

const (
	nobody speaker = iota
	caller
	model
)

// speak notes who says the blocks that follow.
func (p *Prompt) speak(was *speaker, now speaker) {
	if now == caller && *was != caller {
		p.turns++
	}
	if now == model && *was == caller {
		p.endTurn()
	}
	*was = now
}

func (p *Prompt) endTurn() {
	n := len(p.Blocks)
	if n == 0 || p.Blocks[n-1].Part != Messages {
		return
	}
	p.Blocks[n-1].Ends = true
	if p.root.Zero() {
		p.root = p.Blocks[n-1].Hash
	}
}

// Tokens is how long the prompt is, estimated.
func (p *Prompt) Tokens() int64 {
	if n := len(p.Blocks); n > 0 {
		return p.Blocks[n-1].Tokens
	}
	return 0
}

// Turns is how many turns of the caller it has.
func (p *Prompt) Turns() int { return p.turns }

// Static is the end of its tools and system, nil where it has none.
func (p *Prompt) Static() *Block {
	if p.static == 0 {
		return nil
	}
	return &p.Blocks[p.static-1]
}

// Key is the text that names h to a provider: 39 letters and digits that tell nothing of
// the prompt.
func (h Hash) Key() string { return "purser-" + hex.EncodeToString(h[:]) }

// each calls do with each member of the object at pos of doc; do reads nothing itself.
// It is false where there is no object.
func each(doc []byte, pos int, do func(name []byte, key, value span)) bool {
	c := jsonscan.Cursor{Doc: doc, Pos: pos, LoneSurrogates: true}
	if c.Kind() != jsonscan.Object {
		return false
	}
	return c.EachMember(func(key jsonscan.Str) error {
		start, end, err := c.Value()
		if err == nil {
			do(c.Name(key), span{key.Start - 1, key.End + 1}, span{start, end})
		}
		return err
	}) == nil
}

// elements calls do with each element of the array at pos of doc. It is false where
// there is none.
func elements(doc []byte, pos int, do func(value span)) bool {
	c := jsonscan.Cursor{Doc: doc, Pos: pos, LoneSurrogates: true}
	if c.Kind() != jsonscan.Array {
		return false
	}
	return c.EachElement(func(int) error {
		start, end, err := c.Value()
		if err == nil {
			do(span{start, end})
		}
		return err
	}) == nil
}

func kind(doc []byte, v span) jsonscan.Kind {
	c := jsonscan.Cursor{Doc: doc, Pos: v.start}
	if v.start == v.end {
		return jsonscan.Invalid
	}
	return c.Kind()
}

// text is the inside of a JSON string without its escapes undone; nil for another value.
func text(doc []byte, v span) []byte {
	if kind(doc, v) != jsonscan.String {
		return nil
	}
	return doc[v.start+1 : v.end-1]
}

// is says whether the value is the string s, which has no escapes.
func is(doc []byte, v span, s string) bool {
	return v.end-v.start == len(s)+2 && string(doc[v.start+1:v.end-1]) == s
}
