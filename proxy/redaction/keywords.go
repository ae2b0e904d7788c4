package redaction

// keywords looks for many words at once, in any case (Aho and Corasick 1975).
type keywords struct {
	class [256]uint8 // of a byte; 0 for those in no keyword
	width int
	next  []uint32 // by state and class: the next state times the width, and whether a word ends there
	found [][]uint16
	words []string
}

// newKeywords takes words in lower case, of ASCII.
func newKeywords(words []string) *keywords {
	k := &keywords{words: words, width: 1}
	for _, w := range words {
		for i := range len(w) {
			if c := w[i]; k.class[c] == 0 {
				k.class[c] = uint8(k.width)
				k.width++
			}
		}
	}
	for c := byte('A'); c <= 'Z'; c++ {
		k.class[c] = k.class[c+'a'-'A']
	}
	trie := make([]uint16, k.width)
	k.found = make([][]uint16, 1)
	for n, w := range words {
		trie = k.add(trie, w, uint16(n))
	}
	k.link(trie)
	k.next = make([]uint32, len(trie))
	for i, s := range trie {
		k.next[i] = uint32(int(s)*k.width) << 1
		if len(k.found[s]) > 0 {
			k.next[i] |= 1
		}
	}
	return k
}

func (k *keywords) add(trie []uint16, w string, n uint16) []uint16 {
	at := 0
	for i := range len(w) {
		e := at*k.width + int(k.class[w[i]])
		if trie[e] == 0 {
			trie[e] = uint16(len(k.found))
			k.found = append(k.found, nil)
			trie = append(trie, make([]uint16, k.width)...)
		}
		at = int(trie[e])
	}
	k.found[at] = append(k.found[at], n)
	return trie
}

// link makes the trie an automaton: every state has a next one for every byte.
func (k *keywords) link(trie []uint16) {
	fail := make([]uint16, len(k.found))
	var queue []uint16
	for c := range k.width {
		if s := trie[c]; s != 0 {
			queue = append(queue, s)
		}
	}
	for i := 0; i < len(queue); i++ {
		s := int(queue[i])
		k.found[s] = append(k.found[s], k.found[fail[s]]...)
		for c := range k.width {
			e, back := s*k.width+c, trie[int(fail[s])*k.width+c]
			if t := trie[e]; t != 0 {
				fail[t] = back
				queue = append(queue, t)
			} else {
				trie[e] = back
			}
		}
	}
}

// each calls hit with every keyword and where it ends.
func (k *keywords) each(text []byte, hit func(word, end int)) {
	at := uint32(0)
	for i, b := range text {
		next := k.next[int(at)+int(k.class[b])]
		if at = next >> 1; next&1 != 0 {
			for _, n := range k.found[int(at)/k.width] {
				hit(int(n), i+1)
			}
		}
	}
}
