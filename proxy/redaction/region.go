package redaction

// region is a run of words of which most have digits, joined by short separators:
// where numbers of all kinds are.
type region struct {
	start, end int
	digits     int    // all of them
	pure       int    // those in words of digits alone
	longest    int    // digits of the longest such word
	dots       int    // separators
	colons     int    // the same, with those right before and after
	dashes     int    // the same
	plain      uint64 // lengths of words of digits alone, as bits; bit 63 for longer ones
	mixed      uint64 // the same of words with letters and digits
	account    bool   // a word begins as an IBAN does
	dialled    bool   // there is a plus or a bracket in it, or right before it
}

func (r *region) hasPlain(from, to int) bool {
	return r.plain>>from&(1<<(to-from+1)-1) != 0
}

func (r *region) hasMixed(from, to int) bool {
	return r.mixed>>from&(1<<(to-from+1)-1) != 0
}

// maxGap is the bytes of separators that join two words.
const maxGap = 3

var alnum, digit, joins [256]bool

func init() {
	for c := byte('0'); c <= '9'; c++ {
		alnum[c], digit[c] = true, true
	}
	for c := byte('a'); c <= 'z'; c++ {
		alnum[c], alnum[c-'a'+'A'] = true, true
	}
	for _, c := range []byte(" \t.-/()+:") {
		joins[c] = true
	}
}

// nextRegion finds the first region at or after from, before which nothing belongs
// to it.
func nextRegion(text []byte, from int) (r region, ok bool) {
	i := from
	for i < len(text) && !digit[text[i]] {
		i++
	}
	if i == len(text) {
		return r, false
	}
	for i > from && alnum[text[i-1]] {
		i--
	}
	r.start = i
	if i > 0 && text[i-1] == ':' {
		r.colons++
	}
	r.dialled = i > 0 && (text[i-1] == '+' || text[i-1] == '(')
	for {
		i = r.word(text, i)
		r.end = i
		gap := i
		for gap < len(text) && gap-i < maxGap && joins[text[gap]] {
			gap++
		}
		if gap == i || !digitsAhead(text, gap) {
			if i < len(text) && text[i] == ':' {
				r.colons++
			}
			return r, true
		}
		for _, c := range text[i:gap] {
			switch c {
			case '.':
				r.dots++
			case ':':
				r.colons++
			case '-':
				r.dashes++
			case '+', '(':
				r.dialled = true
			}
		}
		i = gap
	}
}

// maxPlain is how far into a word its first digit is looked for.
const maxPlain = 12

// digitsAhead says whether the word at i has a digit.
func digitsAhead(text []byte, i int) bool {
	for end := min(len(text), i+maxPlain); i < end && alnum[text[i]]; i++ {
		if digit[text[i]] {
			return true
		}
	}
	return false
}

// word takes the word at i into the region and gives its end.
func (r *region) word(text []byte, i int) int {
	from, digits := i, 0
	for i < len(text) && alnum[text[i]] {
		if digit[text[i]] {
			digits++
		}
		i++
	}
	n := i - from
	r.digits += digits
	if digits == n {
		r.pure += n
		r.longest = max(r.longest, n)
		r.plain |= 1 << min(n, 63)
	} else {
		r.mixed |= 1 << min(n, 63)
		w := text[from:i]
		r.account = r.account || (n == 4 || n >= 15) && !digit[w[0]] && !digit[w[1]] && digit[w[2]] && digit[w[3]]
	}
	return i
}
