package evaluate

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"purser/semcache/labelled"
)

// hardGrams is Kmemo's rule for pairs that look alike: Jaccard similarity of
// character 4-grams.
const hardGrams = 0.6

// Pairs measures labelled pairs one by one: the hard region, and precision by hit rate.
func (b *Bench) Pairs(pairs []labelled.Pair) []Result {
	all := b.score(pairs)
	hard := slices.DeleteFunc(slices.Clone(all), func(s scored) bool { return s.grams < hardGrams })
	out := []Result{
		rejected("pair-hard", hard, 0.79, func(s *scored) float64 { return s.score }).atLeast(0.75),
		rejected("pair-hard", hard, 0.79, func(s *scored) float64 { return s.similarity }),
	}
	out[1].Figure += ", similarity alone"
	near, kept := guardsAlone("pair-hard", hard)
	out = append(out, near, kept)
	out = append(out, precision("p-chr", all, func(s *scored) float64 { return s.score }, "")...)
	out = append(out, precision("p-chr", all, func(s *scored) float64 { return s.similarity }, ", similarity alone")...)
	return append(out, floor(all))
}

// Categorised measures pairs with categories as Kmemo does: false hits at a share of
// paraphrases kept. Its goal is of pairs that nothing was fitted on.
func (b *Bench) Categorised(pairs []labelled.Pair) []Result {
	all := b.score(pairs)
	r := rejected("kmemo", all, 0.80, func(s *scored) float64 { return s.score })
	r.Figure = "false hits at 0.80 kept"
	r.Value, r.Low, r.High = 1-r.Value, 1-r.High, 1-r.Low
	r = r.atMost(0.15)
	near, kept := guardsAlone("kmemo", all)
	out := []Result{r, near, kept}
	var names []string
	for i := range all {
		if !slices.Contains(names, all[i].category) {
			names = append(names, all[i].category)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		n, right := 0, 0
		for i := range all {
			if all[i].category == name {
				n++
				if all[i].vetoed() != all[i].same {
					right++
				}
			}
		}
		out = append(out, shareOf("kmemo", "guards right: "+name, right, n))
	}
	return out
}

// rejected is the share of pairs of another meaning below the score that keeps a
// share of those of the same. Where vetoes leave fewer, it says so.
func rejected(protocol string, pairs []scored, kept float64, by func(*scored) float64) Result {
	var same []float64
	for i := range pairs {
		if pairs[i].same {
			same = append(same, by(&pairs[i]))
		}
	}
	slices.SortFunc(same, func(a, b float64) int { return cmp.Compare(b, a) })
	at := math.Inf(1)
	if n := int(math.Ceil(kept * float64(len(same)))); n > 0 {
		at = same[n-1]
	}
	k, n := 0, 0
	for i := range pairs {
		if !pairs[i].same {
			n++
			if by(&pairs[i]) < at {
				k++
			}
		}
	}
	r := shareOf(protocol, fmt.Sprintf("near misses rejected at %.2f kept", kept), k, n)
	if math.IsInf(at, -1) {
		r.Note = "vetoes keep less than that"
	}
	return r
}

func guardsAlone(protocol string, pairs []scored) (near, kept Result) {
	n, k := [2]int{}, [2]int{}
	for i := range pairs {
		l := 0
		if pairs[i].same {
			l = 1
		}
		n[l]++
		if pairs[i].vetoed() == !pairs[i].same {
			k[l]++
		}
	}
	return shareOf(protocol, "guards alone: near misses rejected", k[0], n[0]), shareOf(protocol, "guards alone: kept", k[1], n[1])
}

// precision is the share of right hits at hit rates, and the area under that curve.
// Pairs of one score are hits together; vetoed ones would be hits last, in any order.
func precision(protocol string, pairs []scored, by func(*scored) float64, of string) []Result {
	sorted := slices.Clone(pairs)
	slices.SortStableFunc(sorted, func(a, b scored) int { return cmp.Compare(by(&b), by(&a)) })
	right, area := 0.0, 0.0
	n := len(sorted)
	at := map[int]float64{}
	for i := 0; i < n; {
		j, same := i, 0.0
		for j < n && by(&sorted[j]) == by(&sorted[i]) {
			if sorted[j].same {
				same++
			}
			j++
		}
		for k := i; k < j; k++ {
			right += same / float64(j-i)
			area += right / float64(k+1) / float64(n)
			at[k+1] = right
		}
		i = j
	}
	var out []Result
	for _, rate := range []float64{0.05, 0.1, 0.2, 0.4} {
		k := int(rate * float64(n))
		out = append(out, shareOf(protocol, fmt.Sprintf("precision at hit rate %.2f%s", rate, of), int(math.Round(at[k])), k))
	}
	return append(out, Result{Protocol: protocol, Figure: "area under the curve" + of, Value: area, Low: area, High: area, N: n})
}

// floor is the share of pairs with equal normal forms that are labelled as not the
// same: an error that no decision can avoid.
func floor(pairs []scored) Result {
	k, n := 0, 0
	for i := range pairs {
		if math.IsInf(pairs[i].score, 1) {
			n++
			if !pairs[i].same {
				k++
			}
		}
	}
	r := shareOf("labels", "equal normal forms labelled as not the same", k, n)
	r.Note = "the noise of the labels"
	return r
}
