package evaluate

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"purser/semcache/decide"
	"purser/semcache/index"
	"purser/semcache/labelled"
)

// nearest is how many candidates a lookup judges, and recall the similarity that they need.
const (
	nearest = 5
	recall  = 0.55
)

// lookup is a hit of the nearest candidate that no guard vetoes.
type lookup struct {
	score float64
	right bool
}

// Retrieval stores the first text of each pair and asks for the second, as GPTCache's
// benchmark does. Texts that are stored twice are one entry.
func (b *Bench) Retrieval(pairs []labelled.Pair) []Result {
	rows := index.New(b.table.Dim())
	var views []*decide.View
	ids := map[string]int{}
	for _, p := range pairs {
		v := b.view(p.A)
		if _, ok := ids[v.Text.Normal]; ok || v.Sentence() == nil {
			continue
		}
		ids[v.Text.Normal] = len(views)
		b.add(rows, len(views), v)
		views = append(views, v)
	}
	var byScore, byMargin, bySimilarity []lookup
	for _, p := range pairs {
		v := b.view(p.B)
		want, ok := ids[decide.Normalize(p.A)]
		if !ok || v.Sentence() == nil {
			continue
		}
		q := make([]int8, b.table.Dim())
		hits := rows.Search(q, index.Quantize(q, v.Sentence()), nearest, recall)
		none := lookup{score: math.Inf(-1)}
		score, margin, first := none, none, none
		if len(hits) > 0 {
			first = lookup{float64(hits[0].Score), int(hits[0].ID) == want}
		}
		for k, h := range hits {
			m := marginOf(hits, k)
			if d := b.model.Judge(v, views[h.ID], similar(v, views[h.ID]), m); !math.IsInf(d.Score, -1) {
				right := int(h.ID) == want
				score, margin = lookup{d.Score, right}, lookup{m, right}
				if math.IsNaN(m) {
					margin.score = 1 // nothing else was near
				}
				break
			}
		}
		byScore, byMargin, bySimilarity = append(byScore, score), append(byMargin, margin), append(bySimilarity, first)
	}
	return []Result{
		wrongAt(byScore, 0.80, "").atMost(0.02), mostHits(byScore, 0.02, ""),
		wrongAt(byMargin, 0.80, ", guards and a bar of margin").atMost(0.02), mostHits(byMargin, 0.02, ", guards and a bar of margin"),
		wrongAt(bySimilarity, 0.80, ", similarity alone"),
	}
}

func (b *Bench) add(rows *index.Index, id int, v *decide.View) {
	q := make([]int8, b.table.Dim())
	scale := index.Quantize(q, v.Sentence())
	if err := rows.Add(uint64(id), q, scale); err != nil {
		panic(err) // ids are unique, and the dimension is the table's
	}
}

func marginOf(hits []index.Hit, k int) float64 {
	if len(hits) < 2 {
		return decide.NoMargin
	}
	other := 0
	if k == 0 {
		other = 1
	}
	return float64(hits[k].Score - hits[other].Score)
}

func sortLookups(all []lookup) []lookup {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b lookup) int { return cmp.Compare(b.score, a.score) })
	return all
}

// wrongAt is the share of wrong hits among the best-scored ones that make up a hit rate.
func wrongAt(all []lookup, rate float64, of string) Result {
	all = sortLookups(all)
	n := int(math.Ceil(rate * float64(len(all))))
	wrong := 0
	note := ""
	for _, l := range all[:n] {
		if math.IsInf(l.score, -1) {
			note = "vetoes leave fewer hits"
		}
		if !l.right {
			wrong++
		}
	}
	r := shareOf("mock", fmt.Sprintf("wrong share of hits at %.2f hits%s", rate, of), wrong, n)
	r.Note = note
	return r
}

// mostHits is the greatest hit rate at which the wrong share is at most a bound.
func mostHits(all []lookup, bound float64, of string) Result {
	all = sortLookups(all)
	wrong, best := 0, 0
	for i, l := range all {
		if math.IsInf(l.score, -1) {
			break
		}
		if !l.right {
			wrong++
		}
		if float64(wrong) <= bound*float64(i+1) {
			best = i + 1
		}
	}
	return shareOf("mock", fmt.Sprintf("hits at a wrong share of %.2f%s", bound, of), best, len(all))
}
