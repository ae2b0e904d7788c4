package bound

// Pieces up to shortPiece bytes are merged here, in quadratic time; longer ones
// by the library, which keeps to n log n but allocates.
const shortPiece = 256

// mergeWork is how much merging one call may cause, counted in comparisons: a
// piece costs the square of its bytes, or a long one shortPiece for each. It is
// enough for the odd words of a megabyte of prose or code, and some ten
// milliseconds. Pieces beyond it, of which only a hostile text has so many, are
// counted by their worst case.
const mergeWork = 8 << 20

// effort is how much merging may still be done, and whether some was not.
type effort struct {
	left  int64
	short bool
}

// merge counts the tokens of a piece that is not one token.
func (t *tokenizer) merge(piece []byte, work *effort) int64 {
	cost := int64(len(piece)) * int64(min(len(piece), shortPiece))
	if cost > work.left {
		work.short = true
		return t.worst(piece)
	}
	work.left -= cost
	if len(piece) > shortPiece {
		n, err := t.codec.Count(string(piece))
		if err != nil {
			return t.worst(piece)
		}
		return int64(n)
	}
	// Part i is piece[starts[i]:starts[i+1]]; ranks[i] is that of parts i and
	// i+1 together.
	var starts [shortPiece + 1]uint16
	var ranks [shortPiece + 1]uint32
	n := len(piece)
	for i := range n + 1 {
		starts[i] = uint16(i)
	}
	rank := func(i int) uint32 {
		if i+2 > n {
			return noRank
		}
		return t.rank(piece[starts[i]:starts[i+2]])
	}
	for i := range n {
		ranks[i] = noRank
		if i+1 < n && t.mergeable(piece[i], piece[i+1]) {
			ranks[i] = rank(i)
		}
	}
	for n > 1 {
		lowest, at := uint32(noRank), 0
		for i, r := range ranks[:n-1] {
			if r < lowest {
				lowest, at = r, i
			}
		}
		if lowest == noRank {
			break
		}
		copy(starts[at+1:n], starts[at+2:n+1])
		copy(ranks[at+1:n-1], ranks[at+2:n])
		n--
		ranks[at] = rank(at)
		if at > 0 {
			ranks[at-1] = rank(at - 1)
		}
	}
	return int64(n)
}
