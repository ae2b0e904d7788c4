package gist

import (
	"bytes"
	"math/bits"
	"unicode/utf8"
)

// Limits of what is compared by words.
const (
	maxWords = 16   // of more, all have to agree, in their order
	maxText  = 1024 // bytes; more are compared as they are
)

// nearBits is in how many bits near questions may differ. Of questions of 16 words that
// differ in one, about 1 in 200 differ in no more bits; of shorter ones fewer.
const nearBits = 2

// Near says whether two questions are so much alike that they ask the same. Nothing is
// near to 0.
func Near(a, b uint64) bool { return a != 0 && b != 0 && bits.OnesCount64(a^b) <= nearBits }

// askedOf hashes texts, the insides of JSON strings. said is what has to agree beside them.
func askedOf(texts [][]byte, said uint64) uint64 {
	size := 0
	for _, t := range texts {
		size += len(t)
	}
	w := words{strict: said}
	if size <= maxText {
		for _, t := range texts {
			w.read(t)
		}
	}
	switch {
	case size > maxText || w.n == 0:
		h := said
		for _, t := range texts {
			h = sum(h, bytes.TrimSpace(t))
		}
		return max(h, 1)
	case w.n > maxWords:
		return max(mix(w.all, w.strict), 1)
	}
	return max(w.simhash()^w.strict, 1)
}

// words are the words of a text that have a part in its hash.
type words struct {
	n      int
	hashes [maxWords]uint64
	all    uint64 // of all words, in their order
	strict uint64 // of what must agree
	start  bool   // of a sentence: the next word is capital for that
}

// read takes the words of a text. Escapes count as what they stand for as far as words go:
// the end of one.
func (w *words) read(t []byte) {
	w.start = true
	for i := 0; i < len(t); {
		c := t[i]
		switch {
		case c == '\\':
			i += 2
			w.start = true
		case wordByte(c):
			j := i
			for j < len(t) && (wordByte(t[j]) || joins(t, j)) {
				j++
			}
			w.word(t[i:j])
			i = j
		case c >= utf8.RuneSelf:
			_, n := utf8.DecodeRune(t[i:])
			w.add(t[i : i+n]) // a sign of a script that may have no spaces
			i += n
		default:
			if c == '.' || c == '?' || c == '!' || c == ':' {
				w.start = true
			}
			i++
		}
	}
}

// wordByte says whether a byte is part of a word: letters, digits, and the runes of
// alphabets below U+0800.
func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c >= 0x80 && c < 0xe0
}

// joins says whether the byte at i is within a word or a number: 3.14, don't, a-b, /usr/bin.
func joins(t []byte, i int) bool {
	switch t[i] {
	case '\'', '-', '.', ',', '/', '@', ':':
		return i+1 < len(t) && wordByte(t[i+1])
	}
	return false
}

// longest is the longest word that is compared without case; of others the rest counts as
// it is.
const longest = 48

func (w *words) word(t []byte) {
	capital := t[0] >= 'A' && t[0] <= 'Z'
	first := w.start
	w.start = false
	var room [longest]byte
	low := t
	if len(t) <= longest {
		low = room[:len(t)]
		for i, c := range t {
			if c >= 'A' && c <= 'Z' {
				c += 'a' - 'A'
			}
			low[i] = c
		}
	}
	switch {
	case polite[string(low)]:
		w.start = first // "please, Who": still the first
		return
	case code(t), capital && !first && string(t) != "I", negation[string(low)]:
		w.strict = sum(w.strict, low)
	}
	w.add(low)
}

func (w *words) add(t []byte) {
	h := sum(0, t)
	if w.n < maxWords {
		w.hashes[w.n] = h
	}
	w.all = mix(w.all, h)
	w.n++
}

// code says whether a word is a number, or a name made by a program.
func code(t []byte) bool {
	for i, c := range t {
		if c >= '0' && c <= '9' || c == '_' || c == '/' || c == '@' || i > 0 && c >= 'A' && c <= 'Z' {
			return true
		}
	}
	return false
}

func set(list ...string) map[string]bool {
	m := make(map[string]bool, len(list))
	for _, s := range list {
		m[s] = true
	}
	return m
}

var (
	// polite words change nothing of what is asked.
	polite = set("please", "kindly", "hi", "hello", "hey", "thanks", "thank", "pls", "plz", "dear", "bitte", "danke", "hallo", "merci", "bonjour", "gracias", "hola", "the", "a", "an")
	// negation turns a question round.
	negation = set("not", "no", "never", "without", "none", "except", "don't", "doesn't", "isn't", "can't", "cannot", "won't", "nicht", "kein", "keine", "ohne", "pas", "sans", "sin")
)

// planes of the counters: 31 features at the most.
const planes = 5

// simhash sets each bit that more than half of the features have. The counters of the 64
// bits stand upright: plane i has the bits of value 2^i of all of them.
func (w *words) simhash() uint64 {
	var count [planes]uint64
	total := 0
	add := func(h uint64) {
		total++
		for i := 0; h != 0; i++ {
			count[i], h = count[i]^h, count[i]&h
		}
	}
	for i, h := range w.hashes[:w.n] {
		add(h)
		if i > 0 {
			add(mix(w.hashes[i-1]+1, h))
		}
	}
	more, same := uint64(0), ^uint64(0) // than total/2
	for i := planes - 1; i >= 0; i-- {
		half := uint64(0)
		if total/2>>i&1 == 1 {
			half = ^uint64(0)
		}
		more |= same & count[i] &^ half
		same &= ^(count[i] ^ half)
	}
	return more
}
