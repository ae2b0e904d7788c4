package index

// Search gives the at most k rows (k up to [MaxHits]) whose score is at least floor,
// best first; of equal scores the smaller id is first. q is the vector asked for, of
// the index's dimension, as [Quantize] gave it.
func (x *Index) Search(q []int8, scale float32, k int, floor float32) []Hit {
	k = min(k, MaxHits)
	if len(q) != x.dim || k < 1 {
		return nil
	}
	s := x.now.Load()
	if s.n == 0 {
		return nil
	}
	var wide [MaxDim]int16
	for i, v := range q {
		wide[i] = int16(v)
	}
	var found [MaxHits]Hit
	n := 0
	var dots [pageRows]int32
	for i, p := range s.pages {
		rows := s.of(i)
		dotRows(dots[:rows], p.rows, wide[:x.stride])
		for j, dot := range dots[:rows] {
			score := float32(dot) * p.scales[j] * scale
			if score < floor || n == k && score < found[n-1].Score {
				continue
			}
			n = insert(found[:k], n, Hit{ID: p.ids[j], Score: max(-1, min(1, score))})
		}
	}
	return append([]Hit(nil), found[:n]...)
}

// insert puts h where it belongs among the first n hits, and gives their new number.
func insert(found []Hit, n int, h Hit) int {
	at := n
	for at > 0 && before(h, found[at-1]) {
		at--
	}
	if at == len(found) {
		return n
	}
	n = min(n+1, len(found))
	copy(found[at+1:n], found[at:n-1])
	found[at] = h
	return n
}

func before(a, b Hit) bool { return a.Score > b.Score || a.Score == b.Score && a.ID < b.ID }
