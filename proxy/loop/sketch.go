package loop

import (
	"hash/maphash"
	"unicode"
	"unicode/utf8"
)

// sketchSize is how many bins a sketch has, a power of two: of long texts its estimate
// of how alike two are has a standard error of at most a sixteenth, of short ones, whose
// features have a bin each, next to none.
const sketchSize = 64

// shingle is how many words in a row are one feature of a text.
const shingle = 3

// seed makes the hashes of this process: they are compared within it alone.
var seed = maphash.MakeSeed()

// sketch is the min-hash of a text's shingles by one permutation: the least in each
// bin (P. Li, A. Owen, C.-H. Zhang, "One Permutation Hashing", NIPS 2012). 0 is an
// empty bin; the zero sketch is of no text.
type sketch struct {
	least [sketchSize]uint32
	words int
}

// words takes texts word by word into a sketch.
type words struct {
	sketch
	last [shingle]uint64
	left int // bytes that are still read
}

// add takes the words of a text: lower case, of letters and digits. Words that look
// like ids, which are another one each time, do not count.
func (w *words) add(text string) {
	if len(text) > w.left {
		text = text[:w.left]
	}
	w.left -= len(text)
	var buf [64]byte
	word, digits := buf[:0], 0
	for i := 0; i <= len(text); {
		r, size := rune(-1), 1
		if i < len(text) {
			r, size = utf8.DecodeRuneInString(text[i:])
		}
		i += size
		if r >= 0 && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			if len(word) < len(buf)-utf8.UTFMax {
				word = utf8.AppendRune(word, unicode.ToLower(r))
			}
			if unicode.IsDigit(r) {
				digits++
			}
			continue
		}
		if len(word) > 0 && !isID(len(word), digits) {
			w.word(maphash.Bytes(seed, word))
		}
		word, digits = buf[:0], 0
	}
}

// isID takes long words with several digits for ids, and numbers as long as a time
// in seconds.
func isID(length, digits int) bool {
	return digits >= 3 && length >= 12 || digits >= 9
}

func (w *words) word(h uint64) {
	copy(w.last[:], w.last[1:])
	w.last[shingle-1] = h
	if w.words++; w.words < shingle {
		w.note(h) // the first words stand alone: a short text has features, too
		return
	}
	w.note(w.last[0]*3 ^ w.last[1]*5 ^ w.last[2]*7)
}

// note takes one feature.
func (w *words) note(h uint64) {
	h = mix(h)
	bin, v := h%sketchSize, uint32(h>>32)|1
	if w.least[bin] == 0 || v < w.least[bin] {
		w.least[bin] = v
	}
}

// mix is the finalizer of SplitMix64.
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// alike estimates which part of their shingles two texts have in common, 0 to 1.
func (s *sketch) alike(o *sketch) float64 {
	if s.words == 0 || o.words == 0 {
		if s.words == o.words {
			return 1
		}
		return 0
	}
	same, filled := 0, 0
	for i := range s.least {
		if s.least[i]|o.least[i] == 0 {
			continue
		}
		filled++
		if s.least[i] == o.least[i] {
			same++
		}
	}
	return float64(same) / float64(filled)
}
