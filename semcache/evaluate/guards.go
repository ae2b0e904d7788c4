package evaluate

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"purser/semcache/decide"
	"purser/semcache/labelled"
)

// Templates measures the guards on generated pairs, n of each kind.
func (b *Bench) Templates(n int) []Result {
	right, all := map[string]int{}, map[string]int{}
	var names []string
	sum, total := 0, 0
	for _, p := range labelled.Generated(1, n) {
		v := decide.Examine(decide.Prepare(p.A), decide.Prepare(p.B))
		if all[p.Category] == 0 {
			names = append(names, p.Category)
		}
		all[p.Category]++
		total++
		if v.Vetoed() != p.Same {
			right[p.Category]++
			sum++
		}
	}
	out := []Result{shareOf("guards", "templates: right", sum, total).atLeast(0.99)}
	slices.Sort(names)
	for _, name := range names {
		out = append(out, shareOf("guards", "templates: "+name, right[name], all[name]))
	}
	return out
}

// Vectors measures the guards on Kmemo's conformance vectors: a pair that any of its
// guards rejects is to be vetoed, one that none does is to pass.
func (b *Bench) Vectors(r io.Reader) ([]Result, error) {
	var file struct {
		Vectors []struct {
			Query, Candidate string
			Reject           bool
		}
	}
	if err := json.NewDecoder(r).Decode(&file); err != nil {
		return nil, fmt.Errorf("reading guard vectors: %w", err)
	}
	rejects := map[[2]string]bool{}
	for _, v := range file.Vectors {
		key := [2]string{v.Query, v.Candidate}
		rejects[key] = rejects[key] || v.Reject
	}
	n, right := [2]int{}, [2]int{}
	for key, reject := range rejects {
		v := decide.Examine(decide.Prepare(key[0]), decide.Prepare(key[1]))
		k := 0
		if reject {
			k = 1
		}
		n[k]++
		if v.Vetoed() == reject {
			right[k]++
		}
	}
	return []Result{
		shareOf("guards", "Kmemo vectors: rejected as asked", right[1], n[1]),
		shareOf("guards", "Kmemo vectors: passed as asked", right[0], n[0]),
	}, nil
}
