package compress

import "bytes"

// minRepeat is the least block that a note replaces, in bytes: more than any note has.
const minRepeat = 512

// maxBlocks bounds the blocks that are remembered of one conversation.
const maxBlocks = 1 << 20

// block is where a line begins in a text that came before.
type block struct {
	text *text
	line int
}

// repeats finds blocks of whole lines that stand earlier in the prompt. A block is
// known by its first lines, as many as have minRepeat bytes; equal blocks by their
// first place. Only text that stands there literally is remembered: what a note stands
// for is not, and nothing that goes over a note.
type repeats struct {
	blocks map[uint64]block
	lines  map[*text][]line
}

// line is one of a text, with its end. The hash of what came before it is by polynomial
// over the lines' own hashes, so that any run of lines has one in constant time.
type line struct {
	text   []byte
	from   int // offset in the text
	before uint64
	note   bool
}

// refer puts a note in the place of each block that stands earlier in the prompt.
func (w *work) refer() {
	r := &repeats{blocks: map[uint64]block{}, lines: map[*text][]line{}}
	for _, t := range w.texts {
		if t.changeable() && !t.noted && len(t.out) >= minRepeat {
			w.set(Repeats, t, r.shorten(t.out))
		}
		r.remember(t)
	}
}

// Odd multipliers of the hashes: FNV's prime, and one drawn at random.
const (
	prime = 1099511628211
	base  = 0x9e3779b97f4a7c15
)

// lines cuts a text.
func lines(t []byte) (list []line) {
	list = make([]line, 0, bytes.Count(t, []byte{'\n'})+1)
	before, from := uint64(0), 0
	for from < len(t) {
		to := len(t)
		if i := bytes.IndexByte(t[from:], '\n'); i >= 0 {
			to = from + i + 1
		}
		l := line{text: t[from:to], from: from, before: before}
		l.note = bytes.Contains(l.text, []byte(opening))
		before = before*base + hashLine(l.text)
		list = append(list, l)
		from = to
	}
	return append(list, line{from: len(t), before: before, note: true})
}

// hashLine is FNV-1a of a line without its end, so that the last line of a text equals
// the same one within another.
func hashLine(t []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, b := range bytes.TrimSuffix(t, []byte{'\n'}) {
		h = (h ^ uint64(b)) * prime
	}
	return h
}

// head finds for each line the end of the least run of lines from it on that has
// minRepeat bytes and no note in it, and calls do with the run's hash.
func heads(list []line, do func(i int, hash uint64)) {
	to, power, notes := 0, uint64(1), 0 // of lines[i:to]: the multiplier, the notes
	powers := []uint64{1}
	for i := range len(list) - 1 {
		if to < i {
			to = i
		}
		for to < len(list)-1 && list[to].from-list[i].from < minRepeat {
			if list[to].note {
				notes++
			}
			to++
		}
		for len(powers) <= to-i {
			powers = append(powers, powers[len(powers)-1]*base)
		}
		power = powers[to-i]
		if list[to].from-list[i].from >= minRepeat && notes == 0 {
			do(i, list[to].before-list[i].before*power)
		}
		if to > i && list[i].note {
			notes--
		}
	}
}

// remember notes the blocks of a text, as it is to be.
func (r *repeats) remember(t *text) {
	if len(t.out) < minRepeat {
		return
	}
	list := lines(t.out)
	used := false
	heads(list, func(i int, hash uint64) {
		if _, ok := r.blocks[hash]; !ok && len(r.blocks) < maxBlocks {
			r.blocks[hash] = block{t, i}
			used = true
		}
	})
	if used {
		r.lines[t] = list
	}
}

// shorten gives a text with notes in the place of blocks that are known.
func (r *repeats) shorten(t []byte) []byte {
	if len(r.blocks) == 0 {
		return t
	}
	list := lines(t)
	var out []byte
	at, next := 0, 0 // what is copied up to, and the next line to look at
	heads(list, func(i int, hash uint64) {
		if i < next {
			return
		}
		b, ok := r.blocks[hash]
		if !ok {
			return
		}
		n := same(list[i:], r.lines[b.text][b.line:])
		size := list[i+n].from - list[i].from
		if size < minRepeat {
			return
		}
		out = append(out, t[at:list[i].from]...)
		out = append(out, b.note(list[i:i+n], size)...)
		if at = list[i+n].from; t[at-1] == '\n' {
			out = append(out, '\n')
		}
		next = i + n
	})
	if at == 0 {
		return t
	}
	return append(out, t[at:]...)
}

// same is how many lines two lists begin with alike, up to a note.
func same(a, b []line) int {
	n := 0
	for n < len(a) && n < len(b) && !a[n].note && !b[n].note && bytes.Equal(bytes.TrimSuffix(a[n].text, []byte{'\n'}), bytes.TrimSuffix(b[n].text, []byte{'\n'})) {
		n++
	}
	return n
}

// note says what a block is, and how to find it: by the lines it begins and ends with.
func (b block) note(run []line, size int) []byte {
	first, last := edge(run, 0, 1), edge(run, len(run)-1, -1)
	what, place := count(len(run), "line"), ""
	switch {
	case len(run) == 1 && first != "":
		place = ", beginning with " + first
	case len(run) == 1:
	case first != "" && last != "":
		place = ", from the line " + first + " to the line " + last
	case first != "":
		place = ", from the line " + first + " on"
	}
	return note(what, ", ", count(size, "byte"), ", left out here: the same as above in ", b.text.where(), place)
}

// edge quotes the first line of a run that is not blank, going by step.
func edge(run []line, i, step int) string {
	for ; i >= 0 && i < len(run); i += step {
		if q := quote(run[i].text); q != "" {
			return q
		}
		if len(bytes.TrimSpace(run[i].text)) > 0 {
			return ""
		}
	}
	return ""
}
